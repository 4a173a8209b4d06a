-- queue_now: how much mail is where, a line per state; what hold_all held, which release_all releases, has its own.
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
    case w.state when 'deferred' then 2 when 'scheduled' then 3 when 'held' then 4 else 5 end, w.state, count(*),
    sum(cardinality(w.numbers)), null, min(w.not_before)
  from (
    select
      case when state = 'held' and reason like 'all mail held: %' then 'held by hold_all' else state end as state,
      numbers, not_before
    from postel.waiting
  ) as w
  group by w.state
) as q
order by q.position;
comment on view postel.queue_now is 'How much mail is queued, deferred, scheduled and held; what hold_all held has a line of its own.';
