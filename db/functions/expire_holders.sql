-- expire_holders: ends the holds of all outbound processes of a node at once, for a supervisor that knows that none of
-- them is alive. The next acquire_ips takes the IPs over as from a dead holder: what was in flight waits a back-off.
create or replace function postel.expire_holders(p_node_name text) returns integer
language sql
as $$
  with expired as (
    update postel.ip_holders h set expires_at = '-infinity'
    from postel.outbound_processes p
    where p.id = h.process_id and p.node_name = p_node_name
    returning h.ip_id
  )
  select count(*)::integer from expired
$$;
comment on function postel.expire_holders(text) is
  'Ends the holds of a node whose outbound processes are known to be dead. Never call it while one runs.';
