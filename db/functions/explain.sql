-- explain: why a message is where it is, one row per recipient: its state (sending included), the last reply, when the
-- next try is, which source IP and why that one, and what it waits for.
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
    case when f.id is not null then 'sending' else d.state end,
    d.attempts,
    d.last_reply,
    case when w.state in ('deferred', 'scheduled') then w.not_before end,
    a.address,
    d.ip_reason,
    case
      when d.state in ('delivered', 'bounced', 'expired', 'cancelled', 'suppressed') then null
      when w.state = 'held' then 'held: ' || w.reason
      when w.state = 'scheduled' then 'scheduled for ' || w.not_before
      when w.state = 'deferred' and w.not_before > now()
        then 'waits for its next try, in ' || date_trunc('second', w.not_before - now())
      when w.state = 'deferred' then 'due, released within a minute by the worker'
      when q.id is null then 'in no queue: please report this'
      when f.id is not null then null
      when a.state not in ('active', 'warming', 'draining') then 'source IP is ' || a.state || coalesce(': ' || a.state_reason, '')
      when h.ip_id is null then 'no outbound process holds ' || host(a.address)
      when h.expires_at < now() then 'the process that holds ' || host(a.address) || ' has stopped renewing'
      else 'in line behind ' || (
        select count(*) from postel.queue b where b.ip_id = q.ip_id and b.domain = q.domain and b.id < q.id
      ) || ' others for ' || q.domain
    end
  from postel.deliveries d
  left join postel.queue q on q.message_id = d.message_id and d.number = any (q.numbers)
  left join postel.waiting w on w.message_id = d.message_id and d.number = any (w.numbers)
  left join postel.ip_addresses a on a.id = d.ip_id
  left join postel.ip_holders h on h.ip_id = d.ip_id
  left join postel.outbound_processes f on f.id = h.process_id and q.id = any (f.in_flight)
  where d.message_id = explain.message_id
  order by d.number
$$;
comment on function postel.explain(uuid) is
  'Why a message is where it is, a row per recipient: select * from postel.explain(''<message id>'').';
