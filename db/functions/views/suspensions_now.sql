-- suspensions_now: what people have suspended: recipient domains and projects, by whom, why, until when, and how many
-- recipients are queued behind it.
create view postel.suspensions_now as
select
  coalesce('domain ' || s.domain, 'project ' || p.name, 'project ' || s.project_id) as what,
  s.reason,
  s.requested_by,
  s.created_at as since,
  s.until,
  (
    select coalesce(sum(cardinality(q.numbers)), 0)
    from postel.queue q
    where q.project_id = s.project_id
      or q.domain = s.domain
      or (s.domain like '*.%' and right(q.domain, length(s.domain) - 1) = substr(s.domain, 2))
  ) as queued
from postel.suspensions s
left join postel.projects p on p.id = s.project_id
where s.until is null or s.until > now()
union all
select 'everything, until hold_all is through', o.reason, o.requested_by, o.created_at, null, (
  select coalesce(sum(cardinality(q.numbers)), 0) from postel.queue q
)
from postel.operations o
where o.finished_at is null and o.verb = 'hold' and o.filter ? 'all'
order by since;
comment on view postel.suspensions_now is 'Domains and projects that people have suspended, and what is queued behind it.';
