-- report_addresses: an interface agent says which addresses its node has, and is told what to do about our source IPs: which must be on an
-- interface (assigned to this node and held by no other, or still held by this one), and which must go (assigned elsewhere, or
-- on the way there, or retired, and let go by the sender here). Those that nobody has assigned are a human's, and are not named.
create or replace function postel.report_addresses(
  p_node_name text,
  p_present inet[],
  p_now timestamptz default clock_timestamp()
)
returns table (address inet, wanted boolean)
language plpgsql
as $$
#variable_conflict use_column
declare
  v_present inet[] := array(select distinct p from unnest(p_present) as p order by p);
  v_before inet[];
begin
  select n.agent_addresses into v_before from postel.nodes n where n.name = p_node_name for update;
  if found then
    update postel.nodes n set agent_seen_at = p_now, agent_addresses = v_present where n.name = p_node_name;
    if v_before is distinct from v_present then
      -- The sender looks at once whether it can hold an IP that came
      perform pg_notify('postel_control', 'ips');
    end if;
  end if;

  return query
  select a.address, d.here
  from postel.ip_addresses a
  left join postel.ip_holders h on h.ip_id = a.id and h.expires_at > p_now
  left join postel.outbound_processes p on p.id = h.process_id
  cross join lateral (
    select
      case
        when p.node_name is not null then p.node_name = p_node_name
        else a.state <> 'retired' and a.node_name = p_node_name and a.moving_to is null
      end as here
  ) as d
  where (a.state = 'retired' or a.node_name is not null or a.moving_to is not null)
    and (d.here or a.address = any (v_present));
end
$$;
comment on function postel.report_addresses(text, inet[], timestamptz) is
  'What an interface agent found on its node, and what must be there; it calls this every two seconds.';
