-- record_part: writes down what became of some recipients of queue rows whose others are still being sent, so that a
-- sender that dies between two transactions of one message repeats none that is over. The row stays, under its id,
-- with the recipients that are left; record_outcomes ends it. Only delivered and bounced recipients count; calling it
-- again, or for rows that have left the queue, changes nothing more (see record_stray_outcomes, which does the rest).
-- p_outcomes is record_outcomes' array. Returns the events made.
create or replace function postel.record_part(p_outcomes json, p_now timestamptz default clock_timestamp()) returns json
language plpgsql
-- As in record_outcomes
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
begin
  with input as materialized (
    select
      i.ip, i.id,
      array(
        select r.number from unnest(i.n, i.o) as r (number, outcome) where r.outcome in ('delivered', 'bounced')
      ) as over
    from json_to_recordset(p_outcomes) as i (ip integer, id bigint, n smallint[], o text[])
  ),
  gone as (
    delete from postel.queue q
    using input i
    where q.ip_id = i.ip and q.id = i.id and q.numbers && i.over
    returning q.*, i.over
  )
  insert into postel.queue (
    id, ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id, organization_id, project_id, queued_at,
    domain, numbers, recipients
  )
  overriding system value
  select
    g.id, g.ip_id, g.priority, g.attempts, g.lost_holders, g.size_bytes, g.expires_at, g.message_id, g.organization_id, g.project_id,
    g.queued_at, g.domain, k.numbers, k.recipients
  from gone g
  cross join lateral (
    select array_agg(r.number order by r.number) as numbers, array_agg(r.address order by r.number) as recipients
    from unnest(g.numbers, g.recipients) as r (number, address)
    where r.number <> all (g.over)
  ) as k
  where k.numbers is not null;

  return postel.record_stray_outcomes(p_outcomes, p_now);
end
$$;
comment on function postel.record_part(json, timestamptz) is
  'Records recipients that are final of rows whose others are still being sent; outbound calls it between transactions.';
