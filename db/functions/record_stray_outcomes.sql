-- record_stray_outcomes: the part of record_outcomes for rows that left the queue while they were being sent: held or
-- moved by a person, or taken over from a holder that was thought dead. What the remote said is still true. Delivered
-- and bounced recipients become final and leave the row they are in now; a deferral changes nothing, because that row
-- already has its own next try. Called only by record_outcomes, with the same array; elements whose row was recorded
-- a moment ago find nothing left to do. Returns the events made.
create or replace function postel.record_stray_outcomes(p_outcomes json, p_now timestamptz) returns json
language plpgsql
as $$
declare
  v_events json;
begin
  -- In the order of those who hold, release and cancel: first the rows, then the deliveries
  perform from postel.waiting w
  where w.message_id in (select i.m from json_to_recordset(p_outcomes) as i (m uuid))
  order by w.id
  for update;

  with results as materialized (
    select i.m as message_id, i.ip, i.at, i.ms, i.mx, i.addr, i.tls, r.*
    from json_to_recordset(p_outcomes) as i (
      m uuid, ip integer, at double precision, ms integer, mx text, addr inet, tls text,
      n smallint[], o text[], c smallint[], e text[], k text[], t text[]
    )
    cross join lateral unnest(i.n, i.o, i.c, i.e, i.k, i.t)
      as r (number, outcome, code, enhanced, category, reply)
    where r.outcome in ('delivered', 'bounced')
  ),
  settled as (
    update postel.deliveries d
    set state = r.outcome, attempts = d.attempts + 1, updated_at = p_now, last_reply = r.reply
    from results r
    where d.message_id = r.message_id and d.number = r.number
      and (
        d.state not in ('delivered', 'bounced', 'expired', 'cancelled', 'suppressed')
        or (d.state = 'cancelled' and r.outcome = 'delivered')
      )
    returning d.message_id, d.number, d.state, d.attempts
  ),
  tried as (
    insert into postel.attempts (
      message_id, number, attempt, at, duration_ms, ip_id, outcome, in_doubt, mx_host, mx_address, tls, code,
      enhanced_code, category, reply
    )
    select
      s.message_id, s.number, s.attempts, p_now - make_interval(secs => r.at), r.ms, r.ip, r.outcome, false, r.mx,
      r.addr, r.tls, r.code, r.enhanced, r.category, r.reply
    from settled s
    join results r on r.message_id = s.message_id and r.number = s.number
    on conflict on constraint attempts_pkey do nothing
  ),
  removed as materialized (
    select postel.remove_recipients(s.message_id, array_agg(s.number)) from settled s group by s.message_id
  ),
  recorded as (
    insert into postel.events (created_at, organization_id, message_id, number, type)
    select p_now, m.organization_id, s.message_id, s.number, s.state
    from settled s
    join postel.messages m on m.id = s.message_id
    where (select count(*) from removed) >= 0
    returning type, message_id, number
  )
  select json_agg(json_build_object(
    'type', e.type, 'message_id', e.message_id, 'delivery_id', e.message_id || '/' || e.number
  ))
  into v_events
  from recorded e;
  return v_events;
end
$$;
comment on function postel.record_stray_outcomes(json, timestamptz) is
  'Final results for rows that left the queue while they were being sent; part of record_outcomes.';
