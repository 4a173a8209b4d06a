-- throughput: what was accepted, delivered, deferred and bounced in the last minute, 5, 15 and 60 minutes, recipients each
-- (accepted: messages), and how many were delivered a second.
create view postel.throughput as
select
  p.span,
  count(e.type) filter (where e.type = 'accepted') as accepted,
  count(e.type) filter (where e.type = 'delivered') as delivered,
  count(e.type) filter (where e.type = 'deferred') as deferred,
  count(e.type) filter (where e.type in ('bounced', 'returned')) as bounced,
  count(e.type) filter (where e.type = 'expired') as expired,
  round(count(e.type) filter (where e.type = 'delivered') / extract(epoch from p.span), 2) as delivered_per_s
from unnest(array['1 min', '5 min', '15 min', '60 min']::interval[]) as p (span)
left join (
  -- each minute once, so that the hour is read once
  select date_trunc('second', e.created_at) as at, e.type
  from postel.events e
  where e.id >= postel.uuid_v7_floor(now() - interval '61 minutes')
) as e on e.at >= now() - p.span
group by p.span
order by p.span;
comment on view postel.throughput is 'Accepted, delivered, deferred and bounced in the last 1, 5, 15 and 60 minutes.';
