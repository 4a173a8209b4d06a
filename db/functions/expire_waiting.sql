-- expire_waiting: ends deferred mail that has grown too old, at most p_limit rows. Held and scheduled mail does not expire
-- while it is that. What a person took out of the queue while it was being sent, and still is, is left to its result.
-- Returns how many rows.
create or replace function postel.expire_waiting(p_limit integer default 5000, p_now timestamptz default clock_timestamp())
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
    select w.ctid from postel.waiting w
    where w.state = 'deferred' and w.expires_at <= p_now and (w.former_id is null or w.former_id <> all (v_in_flight))
    limit p_limit
    for update skip locked
  );
  with taken as (
    delete from postel.waiting w where w.ctid = any (v_rows)
    returning w.message_id, w.numbers, w.organization_id
  )
  select array_agg(t.message_id), array_agg(t.number), array_agg(t.organization_id)
  into v_message_ids, v_numbers, v_organization_ids
  from (select t.message_id, unnest(t.numbers) as number, t.organization_id from taken t) as t;
  perform postel.settle(v_message_ids, v_numbers, v_organization_ids, 'expired', 'expired', null, p_now);
  return cardinality(v_rows);
end
$$;
comment on function postel.expire_waiting(integer, timestamptz) is
  'Expires deferred mail past its time; the worker calls it each minute.';
