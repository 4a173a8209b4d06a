-- run_operations: does what operations are not finished, from psql, with a commit after each chunk: for a system without a
-- running worker. Call it outside a transaction. Safe beside a worker and beside another call.
create or replace procedure postel.run_operations()
language plpgsql
as $$
declare
  v_chunk record;
  v_window integer := 20000;
  v_phase integer := 0;
begin
  loop
    select r.* into v_chunk from postel.run_operation(v_window, v_phase) as r;
    commit;
    exit when v_chunk.id is null and not v_chunk.busy;
    if v_chunk.busy or v_chunk.stalled then
      perform pg_sleep(0.2);
      continue when v_chunk.busy;
    end if;
    v_window := v_chunk.next_window;
    v_phase := v_chunk.next_phase;
    perform postel.announce_released(v_chunk.ip_ids, v_chunk.due);
    commit;
    if v_chunk.finished then
      raise notice 'operation % (%) is finished', v_chunk.id, v_chunk.verb;
      v_window := 20000;
      v_phase := 0;
    end if;
  end loop;
end
$$;
comment on procedure postel.run_operations() is
  'Does what bulk operations are not finished when no worker runs: call postel.run_operations();';
