-- resume_project: mail of this project is sent again. Returns how many recipients of it are queued.
create or replace function postel.resume_project(project text) returns bigint
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
declare
  v_project uuid := postel.project_named(project);
begin
  delete from postel.suspensions s where s.project_id = v_project;
  if not found then
    raise exception 'project % is not paused', quote_literal(project) using errcode = 'invalid_parameter_value',
      hint = 'See table postel.suspensions_now.';
  end if;
  perform pg_notify('postel_control', 'suspensions');
  return (select coalesce(sum(cardinality(q.numbers)), 0) from postel.queue q where q.project_id = v_project);
end
$$;
comment on function postel.resume_project(text) is
  'Sends the mail of a paused project again: select postel.resume_project(''shop''). Returns how many recipients are queued.';
