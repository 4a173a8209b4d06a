-- operations_now: the bulk changes that people have asked for: what is running or waits its turn, and what ended in the
-- last day, the newest first.
create view postel.operations_now as
select
  o.id,
  o.verb,
  case
    when o.finished_at is not null and o.done < o.matched and o.verb not in ('move') then 'ended'
    when o.finished_at is not null then 'finished'
    when o.id = (select min(f.id) from postel.operations f where f.finished_at is null) then 'running'
    else 'waits its turn'
  end as state,
  o.matched,
  o.done,
  o.requested_by,
  o.created_at,
  date_trunc('millisecond', coalesce(o.finished_at, now()) - o.created_at) as took,
  concat_ws(
    ', ',
    case when o.filter ? 'all' or o.filter ? 'held_by_all' then 'all mail' end,
    'message ' || (o.filter ->> 'message_id'),
    'project ' || coalesce(p.name, o.filter ->> 'project_id'),
    'organization ' || z.name,
    'domain ' || coalesce(o.filter ->> 'domain', '*' || (o.filter ->> 'below')),
    'IP ' || host(a.address),
    'to ' || host(t.address),
    'sender ' || (o.filter ->> 'sender'),
    'recipient ' || (o.filter ->> 'recipient'),
    case when not o.filter ? 'all' then 'older messages only' || substr(o.filter ->> 'before', 1, 0) end
  ) as what,
  o.reason
from postel.operations o
left join postel.projects p on p.id = (o.filter ->> 'project_id')::uuid
left join postel.organizations z on z.id = o.organization_id and o.project_id is null
left join postel.ip_addresses a on a.id = (o.filter ->> 'ip_id')::integer
left join postel.ip_addresses t on t.id = (o.filter ->> 'to_ip_id')::integer
where o.finished_at is null or o.finished_at > now() - interval '1 day'
order by o.id desc;
comment on view postel.operations_now is 'Bulk changes: running, waiting their turn, and ended in the last day.';
