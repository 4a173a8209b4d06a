-- record_outcomes: takes what was tried out of the queue and writes down what became of it, in one transaction. A row
-- leaves the queue in the statement that records its outcome, so an outcome counts once whoever writes it.
--
-- p_outcomes: a JSON array, one element per queue row tried:
--   id, ip (the queue row), m, d (its message and domain), at (seconds before p_now that the try began), ms (how long it
--   took), mx, addr, tls (null where it got no further), doubt (final dot sent, no reply seen), after (seconds that the
--   remote asked us to wait, or null), and position by position for each recipient: n (number), o (delivered | deferred |
--   bounced), c (reply code), e (enhanced code), k (category), t (reply text)
--
-- Recipients with 4yz move to waiting with the project's back-off, or expire when the message is too old. Where the row
-- is not in the queue any more (an operator held it, another holder took over) a final result still counts: it takes
-- the recipient out of whatever row it is in now. A recipient that is already final stays as it is.
-- p_messages: the messages of p_outcomes, for callers that have them at hand. Deliveries are found by them: a range from
-- the oldest to the newest would be read whole (6 s for a batch of old and new mail among 100,000 messages, against 15 ms),
-- and without either all partitions would be opened.
-- Returns when the deferred rows become due, and the events made, for the live tail.
create or replace function postel.record_outcomes(
  p_outcomes json,
  p_now timestamptz default clock_timestamp(),
  p_messages uuid[] default null,
  out due timestamptz[],
  out events json
)
language plpgsql
-- Every join here is by key from a small batch. The planner cannot know how small and must not scan.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_sort = off
-- A generic plan, planned once per connection: planning this statement takes longer than running it.
set plan_cache_mode = force_generic_plan
as $$
declare
  v_messages uuid[] := coalesce(p_messages, array(select (o ->> 'm')::uuid from json_array_elements(p_outcomes) as o));
  v_rows integer;
  v_gone integer;
begin
  with input as materialized (
    select o.* from json_to_recordset(p_outcomes) as o (
      id bigint, ip integer, m uuid, at double precision, ms integer, mx text, addr inet, tls text, doubt boolean,
      after integer, n smallint[], o text[], c smallint[], e text[], k text[], t text[]
    )
  ),
  gone as (
    -- By key, whatever the planner thinks of a queue that was empty when it planned this: a free join would read all of it
    -- for each batch (650 to 5,400 ms for 10,000 rows, against 1.3). A queue row never moves, so its ctid is its own.
    delete from postel.queue q
    using input i
    where q.ctid = (
      select k.ctid from postel.queue k
      where k.ip_id = i.ip and k.id between i.id and i.id
      order by k.id
      limit 1
    )
    returning q.*, i.at, i.ms, i.mx, i.addr, i.tls, i.doubt, i.after, i.n, i.o, i.c, i.e, i.k, i.t
  ),
  results as materialized (
    select
      g.message_id, g.organization_id, g.project_id, g.ip_id, g.priority, g.attempts + 1 as attempt, g.lost_holders,
      g.size_bytes, g.expires_at, g.domain, g.numbers, g.recipients,
      g.at, g.ms, g.mx, g.addr, g.tls, g.doubt, g.after,
      r.number, r.outcome, r.code, r.enhanced, r.category, r.reply
    from gone g
    cross join lateral unnest(g.n, g.o, g.c, g.e, g.k, g.t)
      as r (number, outcome, code, enhanced, category, reply)
  ),
  deferrals as materialized (
    select
      r.message_id, r.organization_id, r.project_id, r.ip_id, r.priority, r.attempt, r.lost_holders, r.size_bytes, r.expires_at, r.domain,
      r.expires_at <= p_now as expired,
      -- the last try comes a minute before the expiry, rather than never
      least(
        case when r.expires_at - p_now > interval '90 s' then r.expires_at - interval '60 s' else r.expires_at end,
        p_now + greatest(
          postel.retry_delay(p.retry_schedule_seconds, r.attempt),
          make_interval(secs => max(coalesce(r.after, 0)))
        )
      ) as not_before,
      array_agg(r.number order by r.number) as numbers,
      array_agg(r.recipients[array_position(r.numbers, r.number)] order by r.number) as recipients,
      (array_agg(r.reply order by r.number))[1] as reply
    from results r
    join postel.projects p on p.id = r.project_id
    where r.outcome = 'deferred'
    group by
      r.message_id, r.organization_id, r.project_id, r.ip_id, r.priority, r.attempt, r.lost_holders, r.size_bytes, r.domain,
      r.expires_at, p.retry_schedule_seconds
  ),
  postponed as (
    insert into postel.waiting (
      state, not_before, reason, ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id, organization_id, project_id,
      domain, numbers, recipients
    )
    select
      'deferred', f.not_before, coalesce(f.reply, 'deferred'), f.ip_id, f.priority, f.attempt, f.lost_holders, f.size_bytes, f.expires_at,
      f.message_id, f.organization_id, f.project_id, f.domain, f.numbers, f.recipients
    from deferrals f
    where not f.expired
    returning not_before
  ),
  tried as (
    insert into postel.attempts (
      message_id, number, attempt, at, duration_ms, ip_id, outcome, in_doubt, mx_host, mx_address, tls, code,
      enhanced_code, category, reply
    )
    select
      r.message_id, r.number, r.attempt, p_now - make_interval(secs => r.at), r.ms, r.ip_id, r.outcome,
      r.doubt and r.outcome = 'deferred', r.mx, r.addr, r.tls, r.code, r.enhanced, r.category, r.reply
    from results r
    on conflict on constraint attempts_pkey do nothing
  ),
  settled as (
    update postel.deliveries d
    set
      state = case
        when r.outcome = 'deferred'
          and exists (select from deferrals f where f.message_id = r.message_id and f.domain = r.domain and f.expired)
        then 'expired' else r.outcome end,
      attempts = r.attempt,
      updated_at = p_now,
      last_reply = r.reply
    from results r
    where d.message_id = r.message_id and d.number = r.number
      and d.message_id = any (v_messages)
      and d.state not in ('delivered', 'bounced', 'expired', 'cancelled', 'suppressed')
    returning r.organization_id, d.message_id, d.number, d.state
  ),
  recorded as (
    insert into postel.events (created_at, organization_id, message_id, number, type)
    select p_now, s.organization_id, s.message_id, s.number, s.state
    from settled s
    returning type, message_id, number
  )
  select
    (select array_agg(distinct w.not_before) from postponed w),
    (
      select json_agg(json_build_object(
        'type', e.type, 'message_id', e.message_id, 'delivery_id', e.message_id || '/' || e.number
      ))
      from recorded e
    ),
    (select count(*) from input),
    (select count(*) from gone)
  into due, events, v_rows, v_gone;

  if v_gone < v_rows then
    events := (
      select json_agg(x.event)
      from (
        select json_array_elements(record_outcomes.events) as event
        union all
        select json_array_elements(postel.record_stray_outcomes(p_outcomes, p_now))
      ) as x
    );
  end if;
end
$$;
comment on function postel.record_outcomes(json, timestamptz, uuid[]) is
  'Records what became of queue rows that were tried; outbound calls it with each batch of results.';
