-- retention_final_bodies: deletes bodies of messages of which nothing is left to deliver since the events up to p_until, in
-- projects whose body_retention_days they are past; with 0 that is at once. Looks at p_limit events at most.
create or replace function postel.retention_final_bodies(
  p_until uuid,
  p_limit integer default 20000,
  p_now timestamptz default clock_timestamp(),
  out last_id uuid,
  out deleted integer
)
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
set lock_timeout = '2s'
as $$
declare
  v_after uuid;
  v_full uuid;
  v_ids uuid[];
begin
  deleted := 0;
  insert into postel.event_cursors (name, last_event_id, updated_at)
  values ('bodies', postel.uuid_v7_floor(clock_timestamp() - interval '1 hour'), p_now)
  on conflict (name) do nothing;
  select c.last_event_id into v_after from postel.event_cursors c where c.name = 'bodies' for update;
  last_id := greatest(p_until, v_after);
  if exists (select from postel.projects p where p.body_retention_days is not null) then
    select (array_agg(e.id))[p_limit] into v_full
    from (select e.id from postel.events e where e.id > v_after and e.id < p_until order by e.id limit p_limit) as e;
    last_id := coalesce(v_full, last_id);
    v_ids := array(
      select distinct m.id
      from postel.events e
      join postel.messages m on m.id = e.message_id
      join postel.projects p on p.id = m.project_id
      where e.id > v_after and e.id <= last_id and e.id < p_until
        and e.type in ('delivered', 'bounced', 'expired', 'cancelled', 'suppressed')
        and p.body_retention_days is not null
        and m.id < postel.uuid_v7_floor(p_now - make_interval(days => p.body_retention_days))
        and not postel.is_live(m.id)
      order by m.id
    );
    if v_ids <> '{}' then
      delete from postel.message_bodies b
      where b.message_id between v_ids[1] and v_ids[cardinality(v_ids)] and b.message_id = any (v_ids);
      get diagnostics deleted = row_count;
    end if;
  end if;
  update postel.event_cursors c set last_event_id = last_id, updated_at = p_now where c.name = 'bodies';
end
$$;
comment on function postel.retention_final_bodies(uuid, integer, timestamptz) is
  'Deletes bodies of messages that are done, where their project keeps none; the worker calls it.';
