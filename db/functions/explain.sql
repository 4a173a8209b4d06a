-- explain: why a message is where it is, one row per recipient: its state (sending included; returned: it was delivered, and
-- came back), the last reply, when the next try is, which source IP and why that one, and what it waits for.
create or replace function postel.explain(message_id uuid)
returns table (
  recipient text,
  state text,
  attempts smallint,
  last_reply text,
  next_try timestamptz,
  source_ip inet,
  ip_reason text,
  blocked_by text
)
language sql stable
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
  select
    d.recipient,
    case when b.id is not null then 'returned' when f.in_flight and q.id is not null then 'sending' else d.state end,
    d.attempts,
    case when b.id is not null then b.data ->> 'reply' else d.last_reply end,
    case when w.state in ('deferred', 'scheduled') then w.not_before end,
    a.address,
    d.ip_reason,
    case
      when d.state in ('delivered', 'bounced', 'expired', 'cancelled', 'suppressed') then null
      when w.state = 'held' then 'held: ' || w.reason || case when f.in_flight
        then '; it was being sent then, and that result still counts' else '' end
      when w.state = 'scheduled' then 'scheduled for ' || w.not_before
      when w.former_id is not null and f.in_flight then w.reason || '; waits for the sender that has it in flight'
      when w.state = 'deferred' and w.not_before > now() then
        case when w.ip_id is null or w.former_id is not null then w.reason || '; next look' else 'waits for its next try,' end
        || ' in ' || date_trunc('second', w.not_before - now())
      when w.state = 'deferred' and w.not_before < now() - interval '5 minutes'
        then 'due since ' || date_trunc('second', now() - w.not_before) || ': no worker seems to run'
      when w.state = 'deferred' then
        case when w.reason like 'moved from %' then w.reason || '; ' else '' end || 'due, released within a minute by the worker'
      when q.id is null then 'in no queue: please report this'
      when f.in_flight then case when f.heartbeat_at < now() - interval '20 s'
        then 'the process that was sending it has been silent for ' || date_trunc('second', now() - f.heartbeat_at) end
      when q.expires_at <= now() then 'too old since ' || q.expires_at || ', expired within a minute by the worker'
      when postel.suspension_of(d.domain, q.project_id) is not null then postel.suspension_of(d.domain, q.project_id)
      when a.state not in ('active', 'warming', 'draining') then
        'source IP is ' || a.state || coalesce(': ' || a.state_reason, '') || case when o.usable
          then '; moves within a minute to another of pool ' || l.name
          else '; no other IP of pool ' || l.name || ' is active and held by a node' end
      when h.ip_id is null then 'no outbound process holds ' || host(a.address)
      when h.expires_at < now() then 'the process that holds ' || host(a.address) || ' has stopped renewing'
      else coalesce(postel.site_trouble(a.id, s.site) || '; ', '') || (
        select 'in line behind ' || case when count(*) > 10000 then 'more than 10000' else count(*)::text end || ' others for ' || q.domain
        from (
          select from postel.queue b
          where b.ip_id = q.ip_id and b.project_id = q.project_id and b.domain = q.domain and b.priority = q.priority and b.id < q.id
          limit 10001
        ) as b
      ) || case when q.priority = 50 then '' else ', priority ' || q.priority end
    end
  from postel.deliveries d
  left join postel.queue q on q.message_id = d.message_id and d.number = any (q.numbers)
  left join postel.waiting w on w.message_id = d.message_id and d.number = any (w.numbers)
  left join postel.ip_addresses a on a.id = coalesce(q.ip_id, d.ip_id)
  left join postel.ip_pools l on l.id = a.pool_id
  left join postel.ip_holders h on h.ip_id = a.id
  left join postel.destinations s on s.domain = d.domain
  cross join lateral (
    select count(*) > 0 as in_flight, max(p.heartbeat_at) as heartbeat_at
    from postel.outbound_processes p
    where coalesce(q.id, w.former_id) = any (p.in_flight) and p.heartbeat_at > now() - interval '60 s'
  ) as f
  cross join lateral (
    select exists (
      select from postel.ip_addresses b
      join postel.ip_holders bh on bh.ip_id = b.id and bh.expires_at > now()
      where b.pool_id = a.pool_id and b.id <> a.id and b.state in ('active', 'warming') and b.weight > 0
    ) as usable
  ) as o
  left join postel.events b on b.message_id = d.message_id and b.number = d.number and b.type = 'returned'
    and b.type not in ('accepted', 'queued', 'deferred', 'delivered')
    and b.id >= postel.uuid_v7_floor(postel.uuid_v7_time(d.message_id))
  where d.message_id = explain.message_id
  order by d.number
$$;
comment on function postel.explain(uuid) is
  'Why a message is where it is, a row per recipient: select * from postel.explain(''<message id>'').';
