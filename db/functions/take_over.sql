-- take_over: what a dead holder had in flight on these IPs counts as tried and waits a back-off, so that a message that
-- kills its sender cannot do so for ever. A row that has outlived five holders is held for a person to look at.
-- Whether the remote has the message is unknown (in doubt). Returns how many rows it moved.
create or replace function postel.take_over(
  p_ip_ids integer[],
  p_former_process_id uuid,
  p_now timestamptz default clock_timestamp()
)
returns integer
language plpgsql
as $$
declare
  v_in_flight bigint[];
  v_moved integer;
  v_due timestamptz[];
begin
  select p.in_flight into v_in_flight
  from postel.outbound_processes p
  where p.id = p_former_process_id
  for update;

  with lost as (
    delete from postel.queue q
    where q.ip_id = any (p_ip_ids) and q.id = any (v_in_flight)
    returning q.*
  ),
  verdicts as materialized (
    select
      l.*,
      l.lost_holders + 1 >= 5 as poisonous,
      case when l.lost_holders + 1 >= 5
        then 'outlived five sending processes: look at the message, then release or cancel it'
        else 'the process that was sending it died; whether it was delivered is in doubt'
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
    select r.message_id, r.number, r.attempts + 1, p_now, 0, r.ip_id, 'deferred', true, 'sender_died', r.verdict
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

  delete from postel.outbound_processes p
  where p.id = p_former_process_id
    and not exists (select from postel.ip_holders h where h.process_id = p_former_process_id);
  return v_moved;
end
$$;
comment on function postel.take_over(integer[], uuid, timestamptz) is
  'Defers what a dead holder had in flight on IPs that another process now holds.';
