-- remove_recipients: takes recipients that became final out of the message's queue and waiting rows. A row that loses
-- its last recipient goes; one that keeps some is made anew, because queue rows are never updated.
create or replace function postel.remove_recipients(p_message_id uuid, p_numbers smallint[]) returns void
language sql
as $$
  with unqueued as (
    delete from postel.queue q
    where q.message_id = p_message_id and q.numbers && p_numbers
    returning q.*
  ),
  unwaiting as (
    delete from postel.waiting w
    where w.message_id = p_message_id and w.numbers && p_numbers
    returning w.*
  ),
  requeued as (
    insert into postel.queue (
      ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id, organization_id, project_id, queued_at, domain, numbers,
      recipients
    )
    select
      u.ip_id, u.priority, u.attempts, u.lost_holders, u.size_bytes, u.expires_at, u.message_id, u.organization_id, u.project_id, u.queued_at,
      u.domain, k.numbers, k.recipients
    from unqueued u
    cross join lateral (
      select array_agg(r.number order by r.number) as numbers, array_agg(r.address order by r.number) as recipients
      from unnest(u.numbers, u.recipients) as r (number, address)
      where r.number <> all (p_numbers)
    ) as k
    where k.numbers is not null
  )
  insert into postel.waiting (
    state, not_before, reason, ip_id, priority, attempts, lost_holders, size_bytes, expires_at, former_id, held_from, message_id,
    organization_id, project_id, domain, numbers, recipients
  )
  select
    u.state, u.not_before, u.reason, u.ip_id, u.priority, u.attempts, u.lost_holders, u.size_bytes, u.expires_at, u.former_id, u.held_from,
    u.message_id, u.organization_id, u.project_id, u.domain, k.numbers, k.recipients
  from unwaiting u
  cross join lateral (
    select array_agg(r.number order by r.number) as numbers, array_agg(r.address order by r.number) as recipients
    from unnest(u.numbers, u.recipients) as r (number, address)
    where r.number <> all (p_numbers)
  ) as k
  where k.numbers is not null
$$;
comment on function postel.remove_recipients(uuid, smallint[]) is
  'Takes recipients that are final out of the queue and waiting rows of their message.';
