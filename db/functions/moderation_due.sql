-- moderation_due: the organizations whose mail does not yet follow their status: a stopped one that has mail on its way
-- (accepted while it was being stopped), or one that was stopped and has mail that is held for it. Operations that are still
-- running are left to do their work.
create or replace function postel.moderation_due(p_now timestamptz default clock_timestamp()) returns setof uuid
language sql stable
as $$
  select o.id
  from postel.organizations o
  where o.status_at is not null
    and not exists (
      select from postel.operations r
      join postel.projects p on p.organization_id = o.id and r.filter -> 'project_ids' ? p.id::text
      where r.finished_at is null
    )
    and case when o.status in ('no_sending', 'frozen') then
      exists (
        select from postel.projects p
        where p.organization_id = o.id
          and (
            exists (
              select from postel.ip_addresses a
              join postel.queue q on q.ip_id = a.id and q.project_id = p.id
            )
            or exists (select from postel.waiting w where w.project_id = p.id and w.state <> 'held')
          )
      )
    else
      o.status_at > p_now - interval '1 day' and exists (
        select from postel.projects p
        join postel.waiting w on w.project_id = p.id and w.state = 'held'
        where p.organization_id = o.id and w.reason like 'organization stopped: %'
      )
    end
  order by o.id
$$;
comment on function postel.moderation_due(timestamptz) is
  'The organizations whose mail does not yet follow their status; the worker calls it.';
