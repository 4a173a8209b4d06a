-- count_events: adds what happened since the last call, up to p_until and at most p_limit events, to email_metrics, and moves its
-- cursor in the same transaction, so that each event is counted once whoever calls and however often. Every event below
-- p_until must be there to be seen (event_writers). Delivery reports and test mail are not counted. Returns how many it read.
--
-- Each event costs a look at its message; for a bounce also at its attempts, for an open or click at those before it.
create or replace function postel.count_events(p_until uuid, p_limit integer default 50000)
returns integer
language plpgsql
-- Planned once per connection, for every size of what is read
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
set max_parallel_workers_per_gather = 0
as $$
declare
  v_after uuid;
  v_full uuid;
  v_read integer;
begin
  insert into postel.event_cursors (name, last_event_id, updated_at)
  values ('email_metrics', '00000000-0000-0000-0000-000000000000', now())
  on conflict (name) do nothing;
  select c.last_event_id into v_after from postel.event_cursors c where c.name = 'email_metrics' for update;

  select count(*), (array_agg(c.id))[p_limit] into v_read, v_full
  from (
    select e.id from postel.events e where e.id > v_after and e.id < p_until order by e.id limit p_limit
  ) as c;

  with happened as materialized (
    select e.id, e.created_at, e.message_id, e.number, e.type, e.data
    from postel.events e
    where e.id > v_after and e.id < p_until and (v_full is null or e.id <= v_full) and e.message_id is not null
      and e.type in (
        'accepted', 'delivered', 'deferred', 'bounced', 'returned', 'expired', 'suppressed', 'complained', 'unsubscribed', 'opened',
        'clicked'
      )
    offset 0
  ),
  counted as (
    select
      h.created_at, h.type, m.organization_id, m.project_id, m.signing_domain, m.recipient_count,
      case when h.type = 'returned' then case h.data -> 'permanent'
        when 'true' then 'permanent' when 'false' then 'transient' else 'undetermined'
      end when h.type in ('bounced', 'expired') then coalesce((
        select case
          when h.type = 'bounced' then 'permanent'
          when a.category in ('in_doubt', 'sender_died', 'signing') then 'undetermined'
          else 'transient'
        end
        from postel.attempts a
        where a.message_id = h.message_id and a.number = h.number
          and a.outcome = case h.type when 'bounced' then 'bounced' else 'deferred' end
        order by a.attempt desc
        limit 1
      ), 'untried') end as bounce,
      h.type in ('opened', 'clicked') and not exists (
        select from postel.events b
        where b.message_id = h.message_id and b.number is not distinct from h.number and b.type = h.type and b.id < h.id
          and b.type not in ('accepted', 'queued', 'deferred', 'delivered')
          and b.id >= postel.uuid_v7_floor(postel.uuid_v7_time(h.message_id))
      ) as first
    from happened h
    cross join lateral (
      select r.organization_id, r.project_id, r.signing_domain, r.recipient_count
      from postel.messages r
      where r.id = h.message_id and r.source <> 'report' and not r.test
      offset 0
    ) as m
  )
  insert into postel.email_metrics as t (
    organization_id, project_id, period, domain, sent, delivered, suppressed, bounced, bounced_permanent,
    bounced_transient, delivery_delayed, failed, complained, unsubscribed, opened, clicked, unique_opened, unique_clicked
  )
  select
    c.organization_id, c.project_id, date_bin('15 minutes', c.created_at, '2000-01-01T00:00:00Z'),
    coalesce(c.signing_domain, ''),
    coalesce(sum(c.recipient_count) filter (where c.type = 'accepted'), 0) - count(*) filter (where c.type = 'suppressed'),
    count(*) filter (where c.type = 'delivered'),
    count(*) filter (where c.type = 'suppressed'),
    count(*) filter (where c.bounce <> 'untried'),
    count(*) filter (where c.bounce = 'permanent'),
    count(*) filter (where c.bounce = 'transient'),
    count(*) filter (where c.type = 'deferred'),
    count(*) filter (where c.bounce = 'untried'),
    count(*) filter (where c.type = 'complained'),
    count(*) filter (where c.type = 'unsubscribed'),
    count(*) filter (where c.type = 'opened'),
    count(*) filter (where c.type = 'clicked'),
    count(*) filter (where c.type = 'opened' and c.first),
    count(*) filter (where c.type = 'clicked' and c.first)
  from counted c
  group by 1, 2, 3, 4
  order by 1, 3, 2, 4
  on conflict on constraint email_metrics_pkey do update set
    sent = t.sent + excluded.sent,
    delivered = t.delivered + excluded.delivered,
    suppressed = t.suppressed + excluded.suppressed,
    bounced = t.bounced + excluded.bounced,
    bounced_permanent = t.bounced_permanent + excluded.bounced_permanent,
    bounced_transient = t.bounced_transient + excluded.bounced_transient,
    delivery_delayed = t.delivery_delayed + excluded.delivery_delayed,
    failed = t.failed + excluded.failed,
    complained = t.complained + excluded.complained,
    unsubscribed = t.unsubscribed + excluded.unsubscribed,
    opened = t.opened + excluded.opened,
    clicked = t.clicked + excluded.clicked,
    unique_opened = t.unique_opened + excluded.unique_opened,
    unique_clicked = t.unique_clicked + excluded.unique_clicked;

  update postel.event_cursors c
  set last_event_id = coalesce(v_full, greatest(p_until, v_after)), updated_at = now()
  where c.name = 'email_metrics';
  return v_read;
end
$$;
comment on function postel.count_events(uuid, integer) is
  'Adds new events to email_metrics; the worker calls it each minute.';
