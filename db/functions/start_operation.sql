-- start_operation: what hold, release, cancel, bounce, retry, pause_ip, drain_ip and move_queue end in. Writes down who asked
-- for what; up to 10,000 rows are changed in the caller's transaction, more by the worker (or run_operations), chunk by
-- chunk, each a transaction of its own. Returns how many recipients it is about, and writes down nothing when none.
create or replace function postel.start_operation(p_verb text, p_filter jsonb, p_reason text) returns bigint
language plpgsql
as $$
declare
  v_found record;
  v_id bigint;
  v_claim record;
  v_chunk record;
  v_rounds integer := 0;
  v_ip_ids integer[];
  v_due timestamptz[];
begin
  select c.* into v_found from postel.count_matching(p_verb, p_filter) as c;
  if v_found.rows = 0 then
    return 0;
  end if;
  insert into postel.operations (verb, filter, reason, requested_by, created_at, queue_max, waiting_max, matched)
  values (p_verb, p_filter, p_reason, session_user, clock_timestamp(), 0, 0, v_found.recipients)
  returning id into v_id;

  if v_found.rows <= 10000 then
    loop
      select c.* into v_claim from postel.claim_chunk(20001, v_id) as c;
      -- Rows that others have locked are left to the worker rather than waited for
      exit when v_claim.finished or (v_claim.stalled and v_rounds >= 3);
      v_rounds := v_rounds + v_claim.stalled::integer;
      continue when v_claim.stalled;
      select c.* into v_chunk
      from postel.run_chunk(v_id, v_claim.source, v_claim.after_id, v_claim.to_id, v_claim.phase) as c;
      v_ip_ids := v_ip_ids || v_chunk.ip_ids;
      v_due := v_due || v_chunk.due;
    end loop;
    perform postel.notify_outbound(array(select distinct i from unnest(v_ip_ids) as i));
    perform postel.schedule_release(v_due);
    if v_claim.finished then
      return (select o.done from postel.operations o where o.id = v_id);
    end if;
  end if;
  perform graphile_worker.add_job('operations', job_key := 'operations');
  raise notice 'operation % goes on in the background with % recipients', v_id, v_found.recipients
    using hint = 'See table postel.operations_now. Without a worker: call postel.run_operations().';
  return v_found.recipients;
end
$$;
comment on function postel.start_operation(text, jsonb, text) is
  'Starts a change of many messages; at once when it is small, by the worker when it is not.';
