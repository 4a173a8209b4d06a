-- webhook_claim: takes deliveries that are due, for p_lease_seconds: so long nobody else takes them, and then they are due again
-- unless webhook_record has been told what became of them. No webhook gets more than p_each at a time, one that is failing no
-- more than one, and all that are failing no more than p_failing together, so that none can take the places of others.
-- p_busy and p_in_flight say, position by position, how many of which webhook the caller is sending; p_free how many more it
-- can send. Whatever is due longest goes first, the first of each webhook before the second of any.
create or replace function postel.webhook_claim(
  p_busy uuid[],
  p_in_flight integer[],
  p_free integer,
  p_failing integer,
  p_each integer,
  p_lease_seconds double precision,
  p_now timestamptz default clock_timestamp()
)
returns table (
  id uuid, webhook_id uuid, type text, payload text, attempts smallint, created_at timestamptz, endpoint text,
  failing boolean, secret bytea, previous_secret bytea
)
language sql
as $$
  with recursive waiting as (
    -- A loose index scan: its cost is the number of webhooks that are still to be told something
    (
      select d.webhook_id from postel.webhook_deliveries d
      where d.state = 'pending'
      order by d.webhook_id
      limit 1
    )
    union all
    select (
      select d.webhook_id from postel.webhook_deliveries d
      where d.state = 'pending' and d.webhook_id > i.webhook_id
      order by d.webhook_id
      limit 1
    )
    from waiting i
    where i.webhook_id is not null
  ),
  due as materialized (
    select
      c.id, w.id as webhook_id, w.failing_since is not null as failing, c.next_attempt_at, c.rank
    from waiting i
    join postel.webhooks w on w.id = i.webhook_id and w.status = 'enabled'
    left join unnest(p_busy, p_in_flight) as f (id, count) on f.id = w.id
    cross join lateral (
      select l.id, l.next_attempt_at, row_number() over (order by l.next_attempt_at, l.id) as rank
      from (
        select d.id, d.next_attempt_at
        from postel.webhook_deliveries d
        where d.webhook_id = w.id and d.state = 'pending' and d.next_attempt_at <= p_now
        order by d.next_attempt_at, d.id
        limit greatest(case when w.failing_since is null then p_each else 1 end - coalesce(f.count, 0), 0)
        for update skip locked
      ) as l
    ) as c
  ),
  ranked as (
    select u.id, u.webhook_id, u.failing, row_number() over (partition by u.failing order by u.rank, u.next_attempt_at, u.id) as place
    from due u
  ),
  chosen as (
    select r.id, r.webhook_id, r.failing from ranked r
    where not r.failing or r.place <= p_failing
    order by r.failing, r.place
    limit p_free
  ),
  taken as (
    update postel.webhook_deliveries d
    set next_attempt_at = p_now + make_interval(secs => p_lease_seconds)
    from chosen c
    where d.id = c.id
    returning d.id, d.webhook_id, d.type, d.payload, d.attempts, d.created_at, c.failing
  )
  select
    t.id, t.webhook_id, t.type, t.payload, t.attempts, t.created_at, w.endpoint, t.failing, w.secret,
    case when w.previous_secret_until > p_now then w.previous_secret end
  from taken t
  join postel.webhooks w on w.id = t.webhook_id
$$;
comment on function postel.webhook_claim(uuid[], integer[], integer, integer, integer, double precision, timestamptz) is
  'Takes deliveries to webhooks that are due; the worker calls it.';
