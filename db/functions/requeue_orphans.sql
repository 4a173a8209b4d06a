-- requeue_orphans: takes mail away from source IPs that it should not wait on, when their pool has another IP that is active
-- and held, at most p_limit rows an IP: at once from paused, quarantined and draining ones, after five minutes in the
-- queue from retired ones and those that no process holds (it may be restarting). That of an IP on its way to another node goes
-- with it, unless that takes more than five minutes. What is in flight stays, unless its process
-- has been silent for a minute: then it counts as tried (fail_dead_holder). What a living
-- holder may have loaded already waits two seconds. release_due then gives it an IP of its pool and records why. Mail whose
-- pool has no living IP stays where it is. Returns how many rows.
create or replace function postel.requeue_orphans(p_limit integer default 5000, p_now timestamptz default clock_timestamp())
returns integer
language plpgsql
as $$
declare
  v_in_flight bigint[] := postel.in_flight(p_now);
  v_ip record;
  v_rows tid[];
  v_message_ids uuid[];
  v_numbers smallint[];
  v_organization_ids uuid[];
  v_moved integer := 0;
begin
  for v_ip in
    select a.id, host(a.address) as address, postel.ip_trouble(a.id, p_now) as trouble,
      case when a.state in ('paused', 'quarantined', 'draining') then p_now else p_now - interval '5 minutes' end as queued_before,
      case when a.state in ('paused', 'quarantined', 'draining') then interval '2 s' else interval '0' end as pause
    from postel.ip_addresses a
    where postel.ip_trouble(a.id, p_now) is not null
      and not (
        a.moving_to is not null and a.state in ('active', 'warming') and exists (
          select from postel.ip_moves m
          where m.ip_id = a.id and m.ended_at is null and m.started_at > p_now - interval '5 minutes'
        )
      )
      and exists (
        select from postel.ip_addresses o
        join postel.ip_holders h on h.ip_id = o.id and h.expires_at > p_now
        where o.pool_id = a.pool_id and o.id <> a.id and o.state in ('active', 'warming') and o.weight > 0
      )
    order by a.id
  loop
    perform postel.fail_dead_holder(v_ip.id, p_now);
    v_rows := array(
      select q.ctid from postel.queue q
      where q.ip_id = v_ip.id and q.queued_at <= v_ip.queued_before and q.id <> all (v_in_flight)
      order by q.id
      limit p_limit
      for update skip locked
    );
    continue when cardinality(v_rows) = 0;
    with taken as (
      delete from postel.queue q where q.ctid = any (v_rows)
      returning q.*
    ),
    postponed as (
      insert into postel.waiting (
        state, not_before, reason, ip_id, priority, attempts, lost_holders, size_bytes, expires_at, former_id, message_id,
        organization_id, project_id, domain, numbers, recipients
      )
      select
        'deferred', p_now + v_ip.pause, 'moved from ' || v_ip.address || ': it ' || v_ip.trouble, null, t.priority, t.attempts,
        t.lost_holders, t.size_bytes, t.expires_at, t.id, t.message_id, t.organization_id, t.project_id, t.domain, t.numbers,
        t.recipients
      from taken t
    )
    select array_agg(t.message_id), array_agg(t.number), array_agg(t.organization_id)
    into v_message_ids, v_numbers, v_organization_ids
    from (select t.message_id, unnest(t.numbers) as number, t.organization_id from taken t) as t;
    perform postel.settle(v_message_ids, v_numbers, v_organization_ids, 'deferred', null, null, p_now);
    v_moved := v_moved + cardinality(v_rows);
  end loop;
  return v_moved;
end
$$;
comment on function postel.requeue_orphans(integer, timestamptz) is
  'Moves mail off source IPs that do not send, when their pool has a living one; the worker calls it each minute.';
