-- retention_bodies: deletes bodies of a project's messages that are older than its body_retention_days, from where it stopped
-- last up to p_until (see event_writers: nothing below it can still appear), looking at p_limit messages at most. What is
-- still to be delivered keeps its body: retention_final_bodies deletes that one once it is done.
create or replace function postel.retention_bodies(
  p_project uuid,
  p_until uuid,
  p_limit integer default 2000,
  p_now timestamptz default clock_timestamp(),
  out looked_at integer,
  out deleted integer
)
language plpgsql
set plan_cache_mode = force_custom_plan
set lock_timeout = '2s'
as $$
declare
  v_after uuid;
  v_to uuid;
  v_ids uuid[];
begin
  looked_at := 0;
  deleted := 0;
  select least(p_until, postel.uuid_v7_floor(p_now - make_interval(days => p.body_retention_days))) into v_to
  from postel.projects p
  where p.id = p_project and p.body_retention_days is not null;
  if v_to is null then
    return;
  end if;
  insert into postel.retention_cursors (project_id, last_message_id, updated_at)
  values (p_project, '00000000-0000-0000-0000-000000000000', p_now)
  on conflict (project_id) do nothing;
  select c.last_message_id into v_after from postel.retention_cursors c where c.project_id = p_project for update;

  v_ids := array(
    select m.id
    from postel.messages m
    where m.project_id = p_project and m.id > v_after and m.id < v_to
    order by m.id
    limit p_limit
  );
  looked_at := cardinality(v_ids);
  if looked_at > 0 then
    v_to := case when looked_at = p_limit then v_ids[p_limit] else v_to end;
    delete from postel.message_bodies b
    where b.message_id between v_ids[1] and v_ids[looked_at] and b.message_id = any (v_ids) and not postel.is_live(b.message_id);
    get diagnostics deleted = row_count;
  end if;
  update postel.retention_cursors c set last_message_id = greatest(v_to, v_after), updated_at = p_now
  where c.project_id = p_project;
end
$$;
comment on function postel.retention_bodies(uuid, uuid, integer, timestamptz) is
  'Deletes bodies of a project past its body_retention_days; the worker calls it.';
