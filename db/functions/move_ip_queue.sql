-- move_ip_queue: takes what is queued on a source IP, but not in flight, to p_to or, when that is null, to whatever IPs of
-- the pool are usable then; it goes there within seconds, and the delivery says why. Where no other IP of the pool is
-- active and held the mail stays where it is, and is moved later, when there is one. Returns how many rows move.
create or replace function postel.move_ip_queue(p_ip_id integer, p_to_ip_id integer, p_why text) returns bigint
language plpgsql
as $$
declare
  v_address text := (select host(a.address) from postel.ip_addresses a where a.id = p_ip_id);
  v_filter jsonb := jsonb_build_object('ip_id', p_ip_id);
  v_rows bigint;
begin
  perform postel.fail_dead_holder(p_ip_id);
  select c.rows into v_rows from postel.count_matching('move', v_filter) as c;
  if v_rows = 0 then
    return 0;
  end if;
  if p_to_ip_id is null and not exists (
    select
    from postel.ip_addresses a
    join postel.ip_addresses o on o.pool_id = a.pool_id and o.id <> a.id and o.state in ('active', 'warming') and o.weight > 0
    join postel.ip_holders h on h.ip_id = o.id and h.expires_at > now()
    where a.id = p_ip_id
  ) then
    raise notice '% rows stay on %: no other IP of its pool is active and held by a node', v_rows, v_address
      using hint = 'They move by themselves as soon as there is one. postel.explain(message_id) shows it.';
    return 0;
  end if;
  perform postel.start_operation(
    'move', v_filter || jsonb_strip_nulls(jsonb_build_object('to_ip_id', p_to_ip_id)),
    'moved from ' || v_address || ': ' || p_why);
  return v_rows;
end
$$;
comment on function postel.move_ip_queue(integer, integer, text) is
  'Moves the queue of a source IP within its pool; part of pause_ip, drain_ip and move_queue.';
