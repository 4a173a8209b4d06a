-- pause_project: no mail of this project (name or id) is sent until it is resumed. New mail of it is accepted and queued,
-- and expires as always. What is being sent goes on. Returns how many recipients of it are queued now.
create or replace function postel.pause_project(project text, reason text default null) returns bigint
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
declare
  v_project uuid := postel.project_named(project);
begin
  insert into postel.suspensions as s (project_id, reason, requested_by)
  values (v_project, coalesce(nullif(btrim(reason), ''), 'no reason given'), postel.requester())
  on conflict (project_id) where project_id is not null do update
  set reason = excluded.reason, until = null, requested_by = excluded.requested_by, created_at = now();
  perform pg_notify('postel_control', 'suspensions');
  return (select coalesce(sum(cardinality(q.numbers)), 0) from postel.queue q where q.project_id = v_project);
end
$$;
comment on function postel.pause_project(text, text) is
  'Sends nothing of a project for now: select postel.pause_project(''shop'', ''hacked''). Returns how many recipients are queued.';
