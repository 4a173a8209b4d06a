-- expire_queued: ends mail in the queue that has grown too old, at most p_limit rows: it waited for a suspension, a limit or a
-- source IP until it was of no use. What is in flight is left to its result. Returns how many rows.
create or replace function postel.expire_queued(p_limit integer default 5000, p_now timestamptz default clock_timestamp())
returns integer
language plpgsql
as $$
declare
  v_in_flight bigint[] := postel.in_flight(p_now);
  v_rows tid[];
  v_message_ids uuid[];
  v_numbers smallint[];
  v_organization_ids uuid[];
begin
  v_rows := array(
    select q.ctid from postel.queue q
    where q.expires_at <= p_now and q.id <> all (v_in_flight)
    limit p_limit
    for update skip locked
  );
  with taken as (
    delete from postel.queue q where q.ctid = any (v_rows)
    returning q.message_id, q.numbers, q.organization_id
  )
  select array_agg(t.message_id), array_agg(t.number), array_agg(t.organization_id)
  into v_message_ids, v_numbers, v_organization_ids
  from (select t.message_id, unnest(t.numbers) as number, t.organization_id from taken t) as t;
  perform postel.settle(v_message_ids, v_numbers, v_organization_ids, 'expired', 'expired', null, p_now);
  return cardinality(v_rows);
end
$$;
comment on function postel.expire_queued(integer, timestamptz) is
  'Expires mail that is still in the queue past its time; the worker calls it each minute.';
