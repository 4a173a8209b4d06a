-- queue_by_domain: a line per recipient domain that has mail, the most first: how much is queued, deferred, held and being
-- sent, to which site it goes, and what keeps it. `table postel.queue_by_domain limit 20` is one screen.
create view postel.queue_by_domain as
with queued as materialized (
  select
    q.domain, count(*) as queued, min(q.queued_at) as oldest,
    count(*) filter (where q.id = any ((select postel.in_flight())::bigint[])) as in_flight,
    array_agg(distinct q.ip_id) as ip_ids, array_agg(distinct q.project_id) as project_ids
  from postel.queue q
  group by q.domain
),
waiting as materialized (
  select
    w.domain,
    count(*) filter (where w.state = 'deferred') as deferred,
    count(*) filter (where w.state = 'scheduled') as scheduled,
    count(*) filter (where w.state = 'held') as held,
    min(w.not_before) filter (where w.state <> 'held') as next_due
  from postel.waiting w
  group by w.domain
)
select
  domain,
  s.site,
  coalesce(q.queued, 0) as queued,
  coalesce(w.deferred, 0) as deferred,
  coalesce(w.scheduled, 0) as scheduled,
  coalesce(w.held, 0) as held,
  coalesce(q.in_flight, 0) as in_flight,
  q.oldest,
  w.next_due,
  coalesce(
    postel.suspension_of(domain, null),
    (
      select string_agg(distinct postel.suspension_of(domain, p), '; ')
      from unnest(q.project_ids) as p
      having count(postel.suspension_of(domain, p)) > 0
    ),
    (
      select string_agg(postel.site_trouble(i.ip_id, i.site), '; ' order by i.ip_id)
      from postel.ip_sites i
      where i.site = s.site and (q.ip_ids is null or i.ip_id = any (q.ip_ids))
    )
  ) as blocked_by
from queued q
full join waiting w using (domain)
left join postel.destinations s using (domain)
order by coalesce(q.queued, 0) + coalesce(w.deferred, 0) + coalesce(w.held, 0) desc, domain;
comment on view postel.queue_by_domain is 'Each recipient domain that has mail: how much, since when, what keeps it; the most first.';
