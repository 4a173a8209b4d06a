-- usage_count: counts the messages with ids from where it stopped last up to p_until, at most p_span of them in time, by
-- project and day. The counts and how far they go are one transaction, so each message is counted once, whoever counts and
-- whenever that ends. p_until comes from event_writers: nothing below it can still appear. Returns how far it got.
create or replace function postel.usage_count(p_until uuid, p_span interval default '10 minutes') returns uuid
language plpgsql
set enable_seqscan = off
as $$
declare
  v_after uuid;
  v_to uuid;
begin
  insert into postel.event_cursors (name, last_event_id, updated_at)
  values ('usage', coalesce(
    (select m.id from postel.messages m order by m.id limit 1), p_until), clock_timestamp())
  on conflict (name) do nothing;
  select c.last_event_id into v_after from postel.event_cursors c where c.name = 'usage' for update;
  -- What lies between is skipped over at once
  v_after := greatest(v_after, least(p_until, coalesce(
    (select m.id from postel.messages m where m.id >= v_after order by m.id limit 1), p_until)));
  v_to := least(p_until, postel.uuid_v7_floor(postel.uuid_v7_time(v_after) + p_span));
  if v_to <= v_after then
    return v_after;
  end if;
  insert into postel.usage as u (organization_id, project_id, day, messages, recipients)
  select
    m.organization_id, m.project_id, (m.created_at at time zone 'utc')::date, count(*), sum(m.recipient_count)
  from postel.messages m
  where m.id >= v_after and m.id < v_to and not m.test and m.source <> 'report'
  group by 1, 2, 3
  order by 1, 3, 2
  on conflict on constraint usage_pkey do update
  set messages = u.messages + excluded.messages, recipients = u.recipients + excluded.recipients;
  update postel.event_cursors c set last_event_id = v_to, updated_at = clock_timestamp() where c.name = 'usage';
  return v_to;
end
$$;
comment on function postel.usage_count(uuid, interval) is
  'Counts accepted mail by project and day; the worker calls it until it has got to p_until.';
