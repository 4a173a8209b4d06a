-- run_operation: one chunk of the oldest operation that is not finished: operations run one after the other, as if each had
-- been done at once when it was asked for. `id` is null when there is none, or when somebody else is at it (`busy`).
create or replace function postel.run_operation(
  p_window integer default 20000,
  p_phase integer default 0,
  out id bigint,
  out verb text,
  out busy boolean,
  out recipients bigint,
  out finished boolean,
  out stalled boolean,
  out next_window integer,
  out next_phase integer,
  out ip_ids integer[],
  out due timestamptz[]
)
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
begin
  busy := not pg_try_advisory_xact_lock(hashtext('postel.run_operation'));
  if busy then
    return;
  end if;
  select o.id, o.verb into run_operation.id, run_operation.verb
  from postel.operations o
  where o.finished_at is null
  order by o.id
  limit 1;
  if run_operation.id is not null then
    -- a chunk that a crash takes back is done again
    perform set_config('synchronous_commit', 'off', true);
    select c.recipients, c.finished, c.stalled, c.next_window, c.next_phase, c.ip_ids, c.due
    into recipients, finished, stalled, next_window, next_phase, ip_ids, due
    from postel.operation_chunk(run_operation.id, p_window, p_phase) as c;
  end if;
end
$$;
comment on function postel.run_operation(integer, integer) is
  'One chunk of the oldest unfinished operation; the worker and run_operations call it until there is none.';
