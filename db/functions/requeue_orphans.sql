-- requeue_orphans: takes mail away from source IPs that nobody will send from (retired, or held by no process) once
-- it has been queued for five minutes, when their pool has another IP that is held, at most p_limit rows. It waits, due at once; release_due then
-- gives it an IP of its pool and records why. Mail whose pool has no living IP stays where it is. Returns how many rows.
create or replace function postel.requeue_orphans(p_limit integer default 5000, p_now timestamptz default clock_timestamp())
returns integer
language sql
as $$
  with held as (
    select a.id, a.pool_id, a.state from postel.ip_addresses a
    join postel.ip_holders h on h.ip_id = a.id and h.expires_at > p_now
  ),
  abandoned as materialized (
    select a.id, case when a.state = 'retired' then 'its source IP was retired' else 'no process held its source IP' end as reason
    from postel.ip_addresses a
    left join postel.ip_holders h on h.ip_id = a.id
    where (a.state = 'retired' or (a.state in ('active', 'warming') and coalesce(h.expires_at, '-infinity') < p_now))
      and exists (
        select from held o where o.pool_id = a.pool_id and o.id <> a.id and o.state in ('active', 'warming')
      )
  ),
  taken as (
    delete from postel.queue q
    using (
      select b.ip_id, b.id, abandoned.reason
      from abandoned
      cross join lateral (
        select o.ip_id, o.id from postel.queue o
        where o.ip_id = abandoned.id and o.queued_at < p_now - interval '5 minutes'
        order by o.id
        limit p_limit
      ) as b
    ) as o
    where q.ip_id = o.ip_id and q.id = o.id
    returning q.*, o.reason
  ),
  postponed as (
    insert into postel.waiting (
      state, not_before, reason, ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id,
      organization_id, project_id, domain, numbers, recipients
    )
    select
      'deferred', p_now, t.reason, null, t.priority, t.attempts, t.lost_holders, t.size_bytes, t.expires_at,
      t.message_id, t.organization_id, t.project_id, t.domain, t.numbers, t.recipients
    from taken t
  )
  select count(*)::integer from taken
$$;
comment on function postel.requeue_orphans(integer, timestamptz) is
  'Moves mail off source IPs that are retired or held by nobody, when their pool has a living IP.';
