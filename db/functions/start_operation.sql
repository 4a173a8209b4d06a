-- start_operation: what hold, release, cancel, bounce, retry, pause_ip, drain_ip and move_queue end in. Writes down who asked
-- for what, and begins it. Returns how many recipients it is about, and writes down nothing when none.
create or replace function postel.start_operation(p_verb text, p_filter jsonb, p_reason text) returns bigint
language plpgsql
as $$
declare
  v_found record;
  v_id bigint;
begin
  select c.* into v_found from postel.count_matching(p_verb, p_filter) as c;
  if v_found.rows = 0 then
    return 0;
  end if;
  insert into postel.operations (verb, filter, reason, requested_by, created_at, queue_max, waiting_max, matched)
  values (p_verb, p_filter, p_reason, postel.requester(), clock_timestamp(), 0, 0, v_found.recipients)
  returning id into v_id;
  if postel.begin_operation(v_id, v_found.rows) then
    return (select o.done from postel.operations o where o.id = v_id);
  end if;
  raise notice 'operation % goes on in the background with % recipients', v_id, v_found.recipients
    using hint = 'See table postel.operations_now. Without a worker: call postel.run_operations().';
  return v_found.recipients;
end
$$;
comment on function postel.start_operation(text, jsonb, text) is
  'Starts a change of many messages; at once when it is small, by the worker when it is not.';
