-- record_returned: writes down what came back about a message that a remote had taken: a bounce after all, the news that it is
-- late there, or a complaint. The delivery stays as it is, since that a remote took it stays true, and its state is final: what
-- came back is an event of its own, once for each recipient and type, whoever tells it and however often.
--
-- p_type: returned (it did not arrive), return_delayed (it has not yet), confirmed (it did, as a report says that the sender has
-- asked for: RFC 3461, NOTIFY=SUCCESS; where he has not, nothing is written) or complained.
-- p_number: the recipient that it is about (deliveries.number), or minus the number of one of several of a domain that one
-- transaction was for: then those of this domain that p_entries name, or the only one that there is. Who has got the mail can
-- so say nothing of recipients at other domains.
-- p_entries: a JSON array of {addresses, data}: the ways in which a recipient is named, in lower case, and what the event says.
--
-- Returns `recorded`; or where nothing was: `repeated` (known already), `too_early` (its delivery is not recorded yet: to be
-- told again), `not_asked`, `not_delivered` (no remote has taken it, as far as is known), `no_recipient` (none of the message's), `unknown` (no such
-- message). `events` are for the live tail.
create or replace function postel.record_returned(
  p_message_id uuid,
  p_number smallint,
  p_type text,
  p_entries json,
  p_now timestamptz default clock_timestamp(),
  out result text,
  out events json
)
language plpgsql
-- Planned once per connection: with so many partitions planning takes longer than running
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_organization_id uuid;
  v_asked jsonb;
  v_numbers smallint[];
begin
  select m.organization_id, m.details -> 'dsn' -> 'recipients' into v_organization_id, v_asked
  from postel.messages m
  where m.id = p_message_id;
  if v_organization_id is null then
    result := 'unknown';
    return;
  end if;
  v_numbers := array(
    select d.number
    from postel.deliveries d
    where d.message_id = p_message_id and (
      d.number = p_number
      or (
        p_number < 0
        and d.domain = (select f.domain from postel.deliveries f where f.message_id = p_message_id and f.number = -p_number)
        and (
          exists (
            select from json_array_elements(p_entries) as e
            where e -> 'addresses' is not null
              and lower(d.recipient) in (select json_array_elements_text(e -> 'addresses'))
          )
          or not exists (
            select from postel.deliveries o
            where o.message_id = p_message_id and o.domain = d.domain and o.number <> d.number
          )
        )
      )
    )
    order by d.number
    -- Of two that tell the same, one waits here and finds it told
    for update
  );

  with told as materialized (
    select
      d.number, d.recipient, d.state, d.attempts, e.data,
      p_type <> 'confirmed' or 'SUCCESS' = any (string_to_array(v_asked -> d.recipient ->> 'notify', ',')) as wanted,
      exists (
        select from postel.events k
        where k.message_id = p_message_id and k.number = d.number and k.type = p_type
          and k.type not in ('accepted', 'queued', 'deferred', 'delivered')
          and k.id >= postel.uuid_v7_floor(postel.uuid_v7_time(p_message_id))
      ) as known
    from postel.deliveries d
    -- What names this recipient, else what is first
    cross join lateral (
      select a.value -> 'data' as data
      from json_array_elements(p_entries) with ordinality as a (value, position)
      order by lower(d.recipient) in (select json_array_elements_text(a.value -> 'addresses')) desc, a.position
      limit 1
    ) as e
    where d.message_id = p_message_id and d.number = any (v_numbers)
  ),
  recorded as (
    insert into postel.events (created_at, organization_id, message_id, number, type, data)
    select p_now, v_organization_id, p_message_id, t.number, p_type, t.data::jsonb
    from told t
    -- Who complains has got it, whatever is recorded
    where not t.known and t.wanted and (t.state = 'delivered' or (p_type = 'complained' and t.attempts > 0))
    order by t.number
    returning number
  )
  select
    case
      when exists (select from recorded) then 'recorded'
      when not exists (select from told) then 'no_recipient'
      when exists (select from told t where t.known) then 'repeated'
      when not exists (select from told t where t.wanted) then 'not_asked'
      when exists (select from told t where t.state = 'queued') then 'too_early'
      else 'not_delivered'
    end,
    (
      select json_agg(json_build_object(
        'type', p_type, 'message_id', p_message_id, 'delivery_id', p_message_id || '/' || r.number
      ))
      from recorded r
    )
  into result, events;
end
$$;
comment on function postel.record_returned(uuid, smallint, text, json, timestamptz) is
  'Writes down what came back about a message: bounces after delivery, complaints; inbound calls it.';
