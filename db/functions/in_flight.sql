-- in_flight: the queue ids that living outbound processes (heard of within 60 s) say they are sending. What was loaded in
-- the last quarter of a second may be missing, so whoever takes rows out of the queue leaves their ids in
-- waiting.former_id, and they wait 2 s at least.
create or replace function postel.in_flight(p_now timestamptz default clock_timestamp()) returns bigint[]
language sql stable
-- Views call it as the person who reads them, who has no rights on the tables
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
  select coalesce(array_agg(f.id), '{}')
  from postel.outbound_processes p
  cross join lateral unnest(p.in_flight) as f (id)
  where p.heartbeat_at > p_now - interval '60 s'
$$;
comment on function postel.in_flight(timestamptz) is 'The queue ids that are being sent at this moment.';
