-- queue_now: how much mail is where, a line per state.
create view postel.queue_now as
select
  q.state,
  q.rows,
  q.recipients,
  q.oldest,
  q.next_due
from (
  select
    1 as position, 'queued' as state, count(*) as rows, coalesce(sum(cardinality(numbers)), 0) as recipients,
    min(queued_at) as oldest, null::timestamptz as next_due
  from postel.queue
  union all
  select
    case state when 'deferred' then 2 when 'scheduled' then 3 else 4 end, state, count(*), sum(cardinality(numbers)),
    null, min(not_before)
  from postel.waiting
  group by state
) as q
order by q.position;
comment on view postel.queue_now is 'How much mail is queued, deferred, scheduled and held.';
