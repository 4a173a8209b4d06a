-- reports_due: whom the events after p_after and before p_until, at most p_limit of them, ask to tell what, and was not told yet.
--
-- Never told: the null sender, the sender of a report, anybody in a project with reports = 'never', and who said
-- NOTIFY=NEVER. Otherwise, for each recipient (RFC 3461):
--   final    it bounced (also after a remote had taken it), expired or is suppressed, and NOTIFY has FAILURE, or says nothing in a project with reports =
--            'failures'; or it arrived, as a report of its server says, or went to a server that cannot report (an attempt of category `relayed`) and NOTIFY has SUCCESS
--   delayed  it is still on its way so long after it could leave as the project says (four hours where it says nothing),
--            and NOTIFY has DELAY, or says nothing in a project that has a time for it
-- A recipient that a person cancelled or holds is none of these. What becomes late is found by its age: as the events go
-- from one moment to another, so does the age limit over the messages; what was scheduled, and so was not late at that
-- age, by its deferrals.
--
-- last_id is the last event looked at, or p_until when that was all; `read` counts them. due is an array of
-- {message_id, kind, numbers}, or null.
--
-- The cost is one look at the message of each recipient's event. An index over the messages that ask would cost each
-- message an entry; this costs 7 to 11 µs for each delivered one, 2% of a core at 2,000 a second (1,000,000 events of
-- 500,000 messages, one in a hundred asking; PostgreSQL 18, 2 busy cores).
create or replace function postel.reports_due(
  p_after uuid,
  p_until uuid,
  p_limit integer default 50000,
  p_now timestamptz default clock_timestamp(),
  out last_id uuid,
  out read integer,
  out due json
)
language plpgsql stable
-- Planned once per connection, for every size of what is read: short index ranges, and one look-up by key for each row that
-- they give. `offset 0` holds the planner to that.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
set max_parallel_workers_per_gather = 0
as $$
declare
  v_full uuid;
  v_from timestamptz := postel.uuid_v7_time(p_after);
  v_to timestamptz;
  v_four_hours_old uuid[];
begin
  select count(*), (array_agg(c.id))[p_limit] into read, v_full
  from (
    select e.id from postel.events e
    where e.id > p_after and e.id < p_until
    order by e.id
    limit p_limit
  ) as c;
  last_id := coalesce(v_full, p_until);
  v_to := postel.uuid_v7_time(last_id);
  v_four_hours_old := array[
    postel.uuid_v7_floor(v_from - interval '4 hours'), postel.uuid_v7_floor(v_to - interval '4 hours')
  ];

  with happened as materialized (
    select distinct e.message_id, e.number, e.type
    from postel.events e
    where e.id > p_after and e.id <= last_id and e.id < p_until
      and e.type in ('bounced', 'returned', 'confirmed', 'expired', 'suppressed', 'delivered', 'deferred')
  ),
  -- Most mail asks for nothing and is sorted out here
  telling as materialized (
    select
      h.message_id, h.number, h.type, p.reports, p.delay_notice_after_seconds, m.asked,
      greatest(m.created_at, m.expires_at - make_interval(secs => p.expire_after_seconds)) as since
    from happened h
    cross join lateral (
      select t.project_id, t.created_at, t.expires_at, t.details -> 'dsn' -> 'recipients' as asked
      from postel.messages t
      where t.id = h.message_id and t.envelope_from <> '' and t.source <> 'report' and not t.test
        and (t.details -> 'dsn' is not null or h.type <> 'delivered')
      offset 0
    ) as m
    join postel.projects p on p.id = m.project_id
    where p.reports <> 'never'
      and (
        m.asked is not null
        or (h.type in ('bounced', 'returned', 'expired', 'suppressed') and p.reports = 'failures')
        or (h.type = 'deferred' and p.delay_notice_after_seconds is not null)
      )
  ),
  aged as materialized (
    select
      m.id as message_id, p.delay_notice_after_seconds, m.details,
      greatest(m.created_at, m.expires_at - make_interval(secs => p.expire_after_seconds)) as since
    from (
      select
        r.id, r.delay_notice_after_seconds, r.expire_after_seconds,
        postel.uuid_v7_floor(v_from - make_interval(secs => r.delay_notice_after_seconds)) as oldest,
        postel.uuid_v7_floor(v_to - make_interval(secs => r.delay_notice_after_seconds)) as newest
      from postel.projects r
      where r.delay_notice_after_seconds is not null and r.reports <> 'never'
      offset 0
    ) as p
    cross join lateral (
      select t.id, t.created_at, t.expires_at, t.details
      from postel.messages t
      where t.project_id = p.id and t.id >= p.oldest and t.id <= p.newest
        and t.envelope_from <> '' and t.source <> 'report' and not t.test
      offset 0
    ) as m
    union all
    select
      m.id, null, m.details,
      greatest(m.created_at, m.expires_at - make_interval(secs => p.expire_after_seconds))
    from (
      select t.id, t.project_id, t.created_at, t.expires_at, t.details
      from postel.messages t
      where t.id >= v_four_hours_old[1] and t.id <= v_four_hours_old[2]
        and t.details -> 'dsn' is not null and t.envelope_from <> '' and t.source <> 'report' and not t.test
      order by t.id
      offset 0
    ) as m
    join postel.projects p on p.id = m.project_id
    where p.delay_notice_after_seconds is null and p.reports <> 'never'
  ),
  candidates as materialized (
    select
      t.message_id, t.number, t.type, t.reports, t.delay_notice_after_seconds, t.since,
      d.state, string_to_array(t.asked -> d.recipient ->> 'notify', ',') as notify
    from telling t
    join postel.deliveries d on d.message_id = t.message_id and d.number = t.number
    union all
    select
      a.message_id, d.number, 'deferred', null, a.delay_notice_after_seconds, a.since,
      d.state, string_to_array(a.details -> 'dsn' -> 'recipients' -> d.recipient ->> 'notify', ',')
    from aged a
    join postel.deliveries d on d.message_id = a.message_id
    where d.state in ('queued', 'deferred')
  ),
  wanted as (
    select c.message_id, c.number, 'final' as kind
    from candidates c
    where c.type in ('bounced', 'returned', 'expired', 'suppressed')
      and ('FAILURE' = any (c.notify) or (c.notify is null and c.reports = 'failures'))
    union
    select c.message_id, c.number, 'final'
    from candidates c
    where c.type = 'confirmed' and 'SUCCESS' = any (c.notify)
    union
    select c.message_id, c.number, 'final'
    from candidates c
    where c.type = 'delivered' and 'SUCCESS' = any (c.notify)
      and exists (
        select from postel.attempts a
        where a.message_id = c.message_id and a.number = c.number
          and a.outcome = 'delivered' and a.category = 'relayed'
      )
    union
    select c.message_id, c.number, 'delayed'
    from candidates c
    where c.type = 'deferred' and c.state in ('queued', 'deferred')
      and ('DELAY' = any (c.notify) or (c.notify is null and c.delay_notice_after_seconds is not null))
      and c.since + make_interval(secs => coalesce(c.delay_notice_after_seconds, 4 * 3600)) <= p_now
  )
  select json_agg(g) into due
  from (
    select w.message_id, w.kind, array_agg(w.number order by w.number) as numbers
    from wanted w
    where not exists (
      select from postel.reports r
      where r.message_id = w.message_id and r.number = w.number and r.kind in (w.kind, 'final')
    )
    group by w.message_id, w.kind
    order by w.message_id, w.kind
  ) as g;
end
$$;
comment on function postel.reports_due(uuid, uuid, integer, timestamptz) is
  'Which senders are to be told what, after a stretch of events; the worker''s task `reports` asks it.';
