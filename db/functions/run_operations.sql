-- run_operations: does what operations are not finished, from psql, with a commit after each chunk: for a system without a
-- running worker. Call it outside a transaction. Safe beside a worker and beside another call.
create or replace procedure postel.run_operations()
language plpgsql
as $$
declare
  v_claim record;
  v_chunk record;
  v_window integer;
begin
  loop
    select c.* into v_claim from postel.claim_chunk(v_window) as c;
    commit;
    exit when v_claim.id is null and not v_claim.busy and not v_claim.stalled;
    if v_claim.finished then
      raise notice 'operation % (%) is finished', v_claim.id, v_claim.verb;
    elsif v_claim.busy or v_claim.stalled then
      perform pg_sleep(0.2);
    else
      select c.* into v_chunk
      from postel.run_chunk(v_claim.id, v_claim.source, v_claim.after_id, v_claim.to_id, v_claim.phase) as c;
      commit;
      perform postel.announce_released(v_chunk.ip_ids, v_chunk.due);
      commit;
      v_window := postel.next_window(v_claim.to_id - v_claim.after_id, v_chunk.recipients);
    end if;
  end loop;
end
$$;
comment on procedure postel.run_operations() is
  'Does what bulk operations are not finished when no worker runs: call postel.run_operations();';
