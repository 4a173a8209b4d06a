-- release_due: moves what has become due from waiting to queue, at most p_limit rows, oldest first, each with a new id.
-- A row keeps its source IP while that is usable; otherwise it gets another of its project's pool and the reason is
-- recorded. Where the pool has none the row waits another minute. Call it until `moved` is less than p_limit.
-- `ip_ids` are the IPs that have new work.
create or replace function postel.release_due(
  p_limit integer default 5000,
  p_now timestamptz default clock_timestamp(),
  out moved integer,
  out ip_ids integer[]
)
language plpgsql
as $$
begin
  with due as materialized (
    select w.id
    from postel.waiting w
    where w.state <> 'held' and w.not_before <= p_now
    order by w.not_before, w.id
    limit p_limit
    for update skip locked
  ),
  taken as (
    delete from postel.waiting w
    using due
    where w.id = due.id
    returning w.*
  ),
  pools as materialized (
    select * from postel.usable_ips(array(select distinct t.project_id from taken t), p_now)
  ),
  placed as materialized (
    select
      t.*,
      (t.ip_id = any (u.ips)) is true as kept,
      case when t.ip_id = any (u.ips) then t.ip_id
        else u.ips[1 + width_bucket(random() * u.total, u.bounds)]
      end as new_ip_id,
      u.reason as pool_reason
    from taken t
    left join pools u on u.project_id = t.project_id
  ),
  queued as (
    insert into postel.queue (
      ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id, organization_id, project_id, queued_at, domain, numbers,
      recipients
    )
    select
      p.new_ip_id, p.priority, p.attempts, p.lost_holders, p.size_bytes, p.expires_at, p.message_id, p.organization_id, p.project_id, p_now,
      p.domain, p.numbers, p.recipients
    from placed p
    where p.new_ip_id is not null
    order by p.not_before, p.id
    returning ip_id
  ),
  postponed as (
    insert into postel.waiting (
      state, not_before, reason, ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id, organization_id, project_id,
      domain, numbers, recipients
    )
    select
      'deferred', p_now + interval '60 s', 'no usable IP in the project''s pool', null, p.priority, p.attempts,
      p.lost_holders, p.size_bytes, p.expires_at, p.message_id, p.organization_id, p.project_id, p.domain, p.numbers, p.recipients
    from placed p
    where p.new_ip_id is null
  ),
  settled as (
    update postel.deliveries d
    set
      state = 'queued',
      updated_at = p_now,
      ip_id = r.new_ip_id,
      ip_reason = case when r.kept then d.ip_reason else r.pool_reason end
    from (select p.*, unnest(p.numbers) as number from placed p where p.new_ip_id is not null) as r
    where d.message_id = r.message_id and d.number = r.number
  )
  select
    (select count(*) from taken),
    (select array_agg(distinct q.ip_id) from queued q)
  into moved, ip_ids;
end
$$;
comment on function postel.release_due(integer, timestamptz) is
  'Moves due rows from waiting to queue; the worker calls it for each time bucket and each minute.';
