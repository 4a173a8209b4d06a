-- change_ip: what p_changes has of weight, ehlo_name, node_name, pool_id and state is so from now on. A node named here is kept (pin_ip). The states are those of
-- pause_ip, drain_ip and resume_ip (`active`). Another pool is for an IP that gets no new mail and has none queued, because
-- mail never leaves from an IP outside its pool: raises otherwise. No row: there is no such IP.
create or replace function postel.change_ip(p_id bigint, p_changes jsonb, p_reason text)
returns table (id integer, name text)
language plpgsql
as $$
#variable_conflict use_column
declare
  v_ip postel.ip_addresses;
  v_pool_id integer := (p_changes ->> 'pool_id')::integer;
begin
  select a.* into v_ip from postel.ip_addresses a where a.id = p_id for update;
  if not found then
    return;
  end if;
  if v_pool_id <> v_ip.pool_id then
    if v_ip.state in ('active', 'warming') then
      raise exception '% is %: drain or pause it before it goes to another pool', host(v_ip.address), v_ip.state
        using errcode = 'invalid_parameter_value';
    end if;
    -- whoever has chosen this IP before it was drained has stored that mail now
    lock table postel.queue in share row exclusive mode;
    if exists (select from postel.queue q where q.ip_id = v_ip.id) then
      raise exception 'mail is queued on %: it goes to another pool once it is empty', host(v_ip.address)
        using errcode = 'invalid_parameter_value';
    end if;
    if not exists (select from postel.ip_pools l where l.id = v_pool_id) then
      raise exception 'there is no pool %', v_pool_id using errcode = 'invalid_parameter_value';
    end if;
  end if;
  update postel.ip_addresses a
  set
    weight = coalesce((p_changes ->> 'weight')::integer, a.weight),
    ehlo_name = case when p_changes ? 'ehlo_name' then p_changes ->> 'ehlo_name' else a.ehlo_name end,
    node_name = case when p_changes ? 'node_name' then p_changes ->> 'node_name' else a.node_name end,
    pinned = a.pinned or p_changes ? 'node_name',
    pool_id = coalesce(v_pool_id, a.pool_id)
  where a.id = v_ip.id;
  perform case p_changes ->> 'state'
    when 'active' then postel.resume_ip(v_ip.address)
    when 'paused' then postel.pause_ip(v_ip.address, p_reason)
    when 'draining' then postel.drain_ip(v_ip.address, p_reason)
  end;
  perform pg_notify('postel_control', 'ips');
  return query select v_ip.id, host(v_ip.address);
end
$$;
comment on function postel.change_ip(bigint, jsonb, text) is
  'Changes weight, EHLO name, node, pool or state of a source IP; for the API.';
