-- suppress_addresses: puts addresses on the suppression list of an organization (p_project_id null) or of one project of
-- it. What is on it stays under its id, and a suppression is only ever prolonged by this, never cut short.
--
-- p_entries: a JSON array of {address, origin, reason, message_id, expires_at, at}. The address is compared in lower case,
-- and comes with its quotes removed where they are not needed and its domain in A-labels. `at` is when the reason for it
-- arose: an address that was taken off the list since then stays off. Default: now.
-- p_actor: {kind, id, name, address} of who did it, for the audit log: a row for each address, or with p_import one for
-- all. Null: nobody did, it was found out.
--
-- Returns the ids position by position, and how many addresses were not suppressed before; each of those makes an event.
create or replace function postel.suppress_addresses(
  p_organization_id uuid,
  p_project_id uuid,
  p_entries json,
  p_actor json default null,
  p_import boolean default false,
  p_now timestamptz default clock_timestamp(),
  out ids uuid[],
  out added integer
)
language plpgsql
as $$
begin
  delete from postel.suppressions s
  using json_to_recordset(p_entries) as e (address text, at timestamptz)
  where s.organization_id = p_organization_id and s.address = lower(e.address)
    and s.project_id is not distinct from p_project_id
    and s.expires_at <= least(coalesce(e.at, p_now), p_now);

  with entries as materialized (
    select distinct on (lower(e.address))
      postel.uuid_v7() as id, lower(e.address) as address, e.origin, e.reason, e.message_id, e.expires_at
    from json_to_recordset(p_entries) as e (
      address text, origin text, reason text, message_id uuid, expires_at timestamptz
    )
    order by lower(e.address), e.expires_at desc nulls first
  ),
  changed as (
    insert into postel.suppressions as s (
      id, organization_id, project_id, address, origin, reason, message_id, created_at, expires_at
    )
    select e.id, p_organization_id, p_project_id, e.address, e.origin, e.reason, e.message_id, p_now, e.expires_at
    from entries e
    -- One order for all, so that nobody waits in a circle
    order by e.address
    on conflict on constraint suppressions_address_once do update
    set origin = excluded.origin, reason = excluded.reason, message_id = excluded.message_id,
      expires_at = excluded.expires_at
    where s.expires_at > p_now and s.expires_at < coalesce(excluded.expires_at, 'infinity')
    returning s.id, s.address, s.origin, s.reason, s.message_id, s.created_at, s.expires_at
  ),
  fresh as (
    select c.* from changed c join entries e on e.id = c.id
  ),
  recorded as (
    insert into postel.events (created_at, organization_id, type, data)
    select
      p_now, p_organization_id, 'suppression.added',
      postel.suppress_event_data(f.id, p_project_id, f.address, f.origin, f.message_id, f.created_at)
    from fresh f
  ),
  logged as (
    insert into postel.audit_log (
      organization_id, actor_kind, actor_id, actor_name, address, action, target_kind, target_id, target_name, details
    )
    select
      p_organization_id, p_actor ->> 'kind', p_actor ->> 'id', p_actor ->> 'name', (p_actor ->> 'address')::inet,
      'suppression.added', 'suppression', c.id::text, c.address,
      jsonb_strip_nulls(jsonb_build_object(
        'project_id', p_project_id, 'origin', c.origin, 'reason', c.reason, 'expires_at', c.expires_at
      ))
    from changed c
    where p_actor is not null and not p_import
    union all
    select
      p_organization_id, p_actor ->> 'kind', p_actor ->> 'id', p_actor ->> 'name', (p_actor ->> 'address')::inet,
      'suppression.imported', 'suppression', null, null,
      jsonb_strip_nulls(jsonb_build_object(
        'project_id', p_project_id, 'addresses', json_array_length(p_entries),
        'added', (select count(*) from fresh)
      ))
    where p_actor is not null and p_import
  )
  select count(*) into added from fresh;

  ids := array(
    select s.id
    from rows from (json_to_recordset(p_entries) as (address text)) with ordinality as e (address, position)
    join postel.suppressions s
      on s.organization_id = p_organization_id and s.address = lower(e.address)
      and s.project_id is not distinct from p_project_id
    order by e.position
  );
end
$$;
comment on function postel.suppress_addresses(uuid, uuid, json, json, boolean, timestamptz) is
  'Puts addresses on the suppression list of an organization or project; the apps call it.';
