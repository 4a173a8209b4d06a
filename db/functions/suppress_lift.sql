-- suppress_lift: takes addresses off the suppression list, by their ids or by themselves (in lower case, as the list has
-- them), also where they were erased. p_project_id null: whoever of the organization has them on its list, else only that project. Returns what was in
-- force and is not any more; each makes an event and a row of the audit log. The rows stay for a while, so that a bounce
-- from before this does not bring the address back.
create or replace function postel.suppress_lift(
  p_organization_id uuid,
  p_project_id uuid,
  p_ids uuid[],
  p_addresses text[],
  p_actor json,
  p_now timestamptz default clock_timestamp()
)
returns table (id uuid, address text)
language sql
as $$
  with lifted as (
    update postel.suppressions s
    set expires_at = p_now
    where s.organization_id = p_organization_id
      and (p_project_id is null or s.project_id = p_project_id)
      and (
        s.id = any (p_ids)
        or s.address = any (p_addresses || array(select postel.address_hash(a) from unnest(p_addresses) as a))
      )
      and (s.expires_at is null or s.expires_at > p_now)
    returning s.id, s.project_id, s.address, s.origin, s.message_id, s.created_at
  ),
  recorded as (
    insert into postel.events (created_at, organization_id, type, data)
    select
      p_now, p_organization_id, 'suppression.removed',
      postel.suppress_event_data(l.id, l.project_id, l.address, l.origin, l.message_id, l.created_at)
    from lifted l
  ),
  logged as (
    insert into postel.audit_log (
      organization_id, actor_kind, actor_id, actor_name, address, action, target_kind, target_id, target_name, details
    )
    select
      p_organization_id, p_actor ->> 'kind', p_actor ->> 'id', p_actor ->> 'name', (p_actor ->> 'address')::inet,
      'suppression.removed', 'suppression', l.id::text, l.address,
      jsonb_strip_nulls(jsonb_build_object('project_id', l.project_id, 'origin', l.origin))
    from lifted l
  )
  select l.id, l.address from lifted l order by l.address, l.id
$$;
comment on function postel.suppress_lift(uuid, uuid, uuid[], text[], json, timestamptz) is
  'Takes addresses off the suppression list; the apps call it.';
