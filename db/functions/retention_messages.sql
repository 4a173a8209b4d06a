-- retention_messages: deletes messages of a project that are older than its retention_days, with all that hangs on them, at
-- most p_limit, the oldest first; never one of which anything is still to be delivered. Of its events those stay that every
-- message has (accepted, queued, deferred, delivered): they name nobody, and go with their day. Returns how many messages.
create or replace function postel.retention_messages(
  p_project uuid,
  p_limit integer default 1000,
  p_now timestamptz default clock_timestamp()
)
returns integer
language plpgsql
-- Planned for the days at hand
set plan_cache_mode = force_custom_plan
set lock_timeout = '2s'
as $$
declare
  v_ids uuid[];
  v_from uuid;
  v_to uuid;
begin
  v_ids := array(
    select m.id
    from postel.messages m
    join postel.projects p on p.id = p_project
    where m.project_id = p_project and p.retention_days is not null
      and m.id < postel.uuid_v7_floor(p_now - make_interval(days => p.retention_days))
      and not postel.is_live(m.id)
    order by m.id
    limit p_limit
  );
  if v_ids = '{}' then
    return 0;
  end if;
  v_from := v_ids[1];
  v_to := v_ids[cardinality(v_ids)];
  delete from postel.message_tags t
  using postel.messages m, jsonb_array_elements(case jsonb_typeof(m.details -> 'tags') when 'array' then m.details -> 'tags' end) as d (tag)
  where m.id between v_from and v_to and m.id = any (v_ids) and t.message_id between v_from and v_to
    and t.project_id = p_project and t.tag = (d.tag ->> 'name') || ':' || (d.tag ->> 'value') and t.message_id = m.id;
  delete from postel.message_bodies b where b.message_id between v_from and v_to and b.message_id = any (v_ids);
  delete from postel.attempts a where a.message_id between v_from and v_to and a.message_id = any (v_ids);
  delete from postel.deliveries d where d.message_id between v_from and v_to and d.message_id = any (v_ids);
  delete from postel.events e
  where e.message_id = any (v_ids) and e.id >= v_from and e.type not in ('accepted', 'queued', 'deferred', 'delivered');
  delete from postel.reports r where r.message_id = any (v_ids);
  delete from postel.messages m where m.id between v_from and v_to and m.id = any (v_ids);
  return cardinality(v_ids);
end
$$;
comment on function postel.retention_messages(uuid, integer, timestamptz) is
  'Deletes messages of a project past its retention_days; the worker calls it.';
