-- fail_rows: what was being sent when its sender died, or when this system failed on it, counts as tried and waits a
-- back-off, so that a message that does this each time cannot do so for ever: the fifth time it is held for a person
-- to look at, with the other reason. p_in_doubt: the remote may have the message. Returns how many rows it moved.
create or replace function postel.fail_rows(
  p_ip_ids integer[],
  p_ids bigint[],
  p_reason text,
  p_held_reason text,
  p_in_doubt boolean,
  p_now timestamptz default clock_timestamp()
)
returns integer
language plpgsql
as $$
declare
  v_moved integer;
  v_due timestamptz[];
begin
  with lost as (
    delete from postel.queue q
    where q.ip_id = any (p_ip_ids) and q.id = any (p_ids)
    returning q.*
  ),
  verdicts as materialized (
    select
      l.*,
      l.lost_holders + 1 >= 5 as poisonous,
      case when l.lost_holders + 1 >= 5
        then p_held_reason
        else p_reason
      end as verdict,
      p.retry_schedule_seconds as schedule
    from lost l
    join postel.projects p on p.id = l.project_id
  ),
  postponed as (
    insert into postel.waiting (
      state, not_before, reason, ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id, organization_id, project_id,
      domain, numbers, recipients
    )
    select
      case when v.poisonous then 'held' else 'deferred' end,
      p_now + postel.retry_delay(v.schedule, v.attempts + 1),
      v.verdict, v.ip_id, v.priority, v.attempts + 1, v.lost_holders + 1, v.size_bytes, v.expires_at, v.message_id, v.organization_id,
      v.project_id, v.domain, v.numbers, v.recipients
    from verdicts v
    returning case when state = 'deferred' then not_before end as due
  ),
  results as materialized (
    select v.*, unnest(v.numbers) as number from verdicts v
  ),
  tried as (
    insert into postel.attempts (
      message_id, number, attempt, at, duration_ms, ip_id, outcome, in_doubt, category, reply
    )
    select r.message_id, r.number, r.attempts + 1, p_now, 0, r.ip_id, 'deferred', p_in_doubt, 'sender_died', r.verdict
    from results r
    on conflict on constraint attempts_pkey do nothing
  ),
  settled as (
    update postel.deliveries d
    set
      state = case when r.poisonous then 'held' else 'deferred' end,
      attempts = r.attempts + 1,
      updated_at = p_now,
      last_reply = r.verdict
    from results r
    where d.message_id = r.message_id and d.number = r.number
    returning r.organization_id, d.message_id, d.number, d.state
  ),
  recorded as (
    insert into postel.events (created_at, organization_id, message_id, number, type)
    select p_now, s.organization_id, s.message_id, s.number, s.state
    from settled s
  )
  select (select count(*) from verdicts), (select array_agg(distinct p.due) filter (where p.due is not null) from postponed p)
  into v_moved, v_due;
  -- Nobody else knows when they are due but the sweep, which comes once a minute
  if v_due is not null then
    perform postel.schedule_release(v_due, p_now);
  end if;

  return v_moved;
end
$$;
comment on function postel.fail_rows(integer[], bigint[], text, text, boolean, timestamptz) is
  'Defers rows whose sending failed within this system, and holds them the fifth time.';
