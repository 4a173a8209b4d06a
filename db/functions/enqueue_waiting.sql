-- enqueue_waiting: moves these rows from waiting to queue, each with a new id, in the order of their not_before. The caller
-- has them locked. A row keeps its source IP while that is usable; otherwise it gets another of its project's pool, and
-- the delivery says which and why. Where the pool has none the row waits another minute. A row that a person took out
-- of the queue while it was being sent waits until its sender no longer reports it, because its result may still come.
-- A held row is released: that is an event, and its expiry moves by the time that it was held.
-- `moved` counts the rows that left waiting or were given another time, `recipients` theirs; `ip_ids` have new work;
-- `due` is when to look again.
create or replace function postel.enqueue_waiting(
  p_ids bigint[],
  p_now timestamptz default clock_timestamp(),
  out moved integer,
  out recipients bigint,
  out ip_ids integer[],
  out due timestamptz[]
)
language plpgsql
-- By key from a list whose length the planner cannot know: it must not scan, nor plan all partitions anew each time; nor
-- read an index through where vacuum found the table empty, as it may for a join by equality (hence the array)
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_in_flight bigint[] := postel.in_flight(p_now);
begin
  with input as materialized (
    select
      w.id,
      case
        when w.former_id = any (v_in_flight) then interval '10 s'
        when w.state = 'held' and w.former_id is not null and w.not_before > p_now - interval '2 s' then interval '2 s'
      end as pause
    from postel.waiting w
    where w.id = any (p_ids)
  ),
  paused as (
    update postel.waiting w
    set
      state = 'deferred',
      held_from = null,
      not_before = p_now + i.pause,
      reason = case w.state when 'held' then 'released; waits for who was sending it' else w.reason end,
      expires_at = w.expires_at + case w.state when 'held' then greatest(p_now - w.not_before, interval '0') else interval '0' end
    from input i
    join postel.waiting b on b.id = any (array[i.id])
    where w.id = any (array[i.id]) and i.pause is not null
    returning w.*, b.state as former_state
  ),
  taken as (
    delete from postel.waiting w
    using input i
    where w.id = any (array[i.id]) and i.pause is null
    returning w.*
  ),
  pools as materialized (
    select * from postel.usable_ips(array(select distinct t.project_id from taken t), p_now)
  ),
  placed as materialized (
    select
      t.*,
      t.expires_at + case t.state when 'held' then greatest(p_now - t.not_before, interval '0') else interval '0' end as new_expires_at,
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
      p.new_ip_id, p.priority, p.attempts, p.lost_holders, p.size_bytes, p.new_expires_at, p.message_id, p.organization_id, p.project_id, p_now,
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
      p.lost_holders, p.size_bytes, p.new_expires_at, p.message_id, p.organization_id, p.project_id, p.domain, p.numbers, p.recipients
    from placed p
    where p.new_ip_id is null
  ),
  settled as (
    update postel.deliveries d
    set
      state = case when r.new_ip_id is null then 'deferred' else 'queued' end,
      updated_at = p_now,
      ip_id = coalesce(r.new_ip_id, d.ip_id),
      ip_reason = case
        when r.new_ip_id is null or r.new_ip_id = d.ip_id then d.ip_reason
        when r.kept then r.reason
        else r.pool_reason || coalesce('; ' || case
          when r.reason like 'moved from %' then r.reason
          when d.ip_id is not null then (
            select 'was on ' || host(a.address) || ', which ' || postel.ip_trouble(a.id, p_now)
            from postel.ip_addresses a where a.id = d.ip_id
          )
        end, '')
      end
    from (select p.*, unnest(p.numbers) as number from placed p) as r
    where d.message_id = any (array[r.message_id]) and d.number = r.number
  ),
  resettled as (
    update postel.deliveries d
    set state = 'deferred', updated_at = p_now
    from (select p.message_id, unnest(p.numbers) as number from paused p where p.former_state = 'held') as r
    where d.message_id = any (array[r.message_id]) and d.number = r.number
  ),
  recorded as (
    insert into postel.events (created_at, organization_id, message_id, number, type)
    select p_now, r.organization_id, r.message_id, unnest(r.numbers), 'released'
    from (
      select t.organization_id, t.message_id, t.numbers from taken t where t.state = 'held'
      union all
      select p.organization_id, p.message_id, p.numbers from paused p where p.former_state = 'held'
    ) as r
  )
  select
    (select count(*) from taken) + (select count(*) from paused),
    (select coalesce(sum(cardinality(t.numbers)), 0) from taken t)
      + (select coalesce(sum(cardinality(p.numbers)), 0) from paused p),
    (select array_agg(distinct q.ip_id) from queued q),
    (select array_agg(distinct p.not_before) from paused p)
  into moved, recipients, ip_ids, due;
end
$$;
comment on function postel.enqueue_waiting(bigint[], timestamptz) is
  'Moves rows from waiting to queue, choosing their source IPs; release_due, release and retry end in it.';
