-- usage_of: the recipients that an organization has sent to in a month (its first day, UTC): what is counted, and what has
-- been accepted since. Mail to the sandbox and delivery reports are not counted.
create or replace function postel.usage_of(p_organization uuid, p_month date) returns bigint
language sql stable
as $$
  select (
    select coalesce(sum(u.recipients), 0)
    from postel.usage u
    where u.organization_id = p_organization and u.day >= p_month and u.day < p_month + interval '1 month'
  ) + (
    select coalesce(sum(m.recipient_count), 0)
    from postel.projects p
    cross join lateral (
      select m.recipient_count
      from postel.messages m
      where m.project_id = p.id and not m.test and m.source <> 'report'
        and m.id >= greatest(
          (select c.last_event_id from postel.event_cursors c where c.name = 'usage'),
          postel.uuid_v7_floor(p_month::timestamp at time zone 'utc')
        )
        and m.id < postel.uuid_v7_floor((p_month + interval '1 month') at time zone 'utc')
    ) as m
    where p.organization_id = p_organization
  )
$$;
comment on function postel.usage_of(uuid, date) is 'The recipients that an organization has sent to in a month.';
