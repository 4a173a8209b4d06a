-- begin_operation: up to 10,000 rows of an operation are changed in the caller's transaction, more by the worker (or
-- run_operations), chunk by chunk, each a transaction of its own. Returns whether the operation is finished.
create or replace function postel.begin_operation(p_id bigint, p_rows bigint) returns boolean
language plpgsql
as $$
declare
  v_claim record;
  v_chunk record;
  v_rounds integer := 0;
  v_ip_ids integer[];
  v_due timestamptz[];
begin
  if p_rows <= 10000 then
    loop
      select c.* into v_claim from postel.claim_chunk(20001, p_id) as c;
      -- Rows that others have locked are left to the worker rather than waited for
      exit when v_claim.finished or (v_claim.stalled and v_rounds >= 3);
      v_rounds := v_rounds + v_claim.stalled::integer;
      continue when v_claim.stalled;
      select c.* into v_chunk
      from postel.run_chunk(p_id, v_claim.source, v_claim.after_id, v_claim.to_id, v_claim.phase) as c;
      v_ip_ids := v_ip_ids || v_chunk.ip_ids;
      v_due := v_due || v_chunk.due;
    end loop;
    perform postel.notify_outbound(array(select distinct i from unnest(v_ip_ids) as i));
    perform postel.schedule_release(v_due);
    if v_claim.finished then
      return true;
    end if;
  end if;
  perform graphile_worker.add_job('operations', job_key := 'operations');
  return false;
end
$$;
comment on function postel.begin_operation(bigint, bigint) is
  'Does an operation at once when it is small, leaves it to the worker when it is not.';
