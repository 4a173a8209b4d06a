-- stop_operation: ends a bulk operation where it is; what it has done stays done. Returns how many recipients that was.
create or replace function postel.stop_operation(id bigint) returns bigint
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
declare
  v_done bigint;
  v_all boolean;
begin
  update postel.operations o set finished_at = clock_timestamp()
  where o.id = stop_operation.id and o.finished_at is null
  returning o.done, o.filter ? 'all' into v_done, v_all;
  if v_done is null then
    raise exception 'operation % does not run', stop_operation.id
      using errcode = 'invalid_parameter_value', hint = 'See table postel.operations_now.';
  end if;
  if v_all then
    perform pg_notify('postel_control', 'suspensions');
  end if;
  return v_done;
end
$$;
comment on function postel.stop_operation(bigint) is
  'Stops a bulk operation: select postel.stop_operation(17). What is done stays done; returns how many recipients.';
