-- split_rows: parts the rows of queue or waiting (p_source), with ids above p_after up to p_to, that the filter means but
-- that have recipients besides the one it names, so that an operation can take that one alone. What was in the queue may
-- have been loaded already, so both parts wait until they are not in flight and no shorter than 2 s. Rows in flight are
-- parted for `hold` only. Returns when to look again, null where nothing was parted.
create or replace function postel.split_rows(
  p_verb text,
  p_filter jsonb,
  p_source text,
  p_after bigint,
  p_to bigint,
  p_now timestamptz
)
returns timestamptz
language plpgsql
set plan_cache_mode = force_custom_plan
as $$
declare
  v_in_flight bigint[] := case when p_verb = 'hold' then '{}' else postel.in_flight(p_now) end;
  v_due timestamptz;
begin
  with chosen as materialized (
    select q.ip_id, q.id
    from postel.ip_addresses a
    join postel.queue q on q.ip_id = a.id and q.id > p_after and q.id <= p_to
    where p_source = 'queue'
      and postel.row_matches(p_filter, q.message_id, q.project_id, q.domain, q.ip_id, q.recipients)
      and not postel.lower_all(q.recipients) <@ array[p_filter ->> 'recipient']
      and q.id <> all (v_in_flight)
    for update of q skip locked
  ),
  unqueued as (
    delete from postel.queue q
    using chosen c
    where q.ip_id = c.ip_id and q.id = c.id
    returning q.*
  ),
  settled as (
    update postel.deliveries d
    set state = 'deferred', updated_at = p_now
    from (select u.message_id, unnest(u.numbers) as number from unqueued u) as r
    where d.message_id = r.message_id and d.number = r.number
  ),
  parted as (
    insert into postel.waiting (
      state, not_before, reason, ip_id, priority, attempts, lost_holders, size_bytes, expires_at, former_id, message_id,
      organization_id, project_id, domain, numbers, recipients
    )
    select
      'deferred', p_now + interval '2 s', 'parted from other recipients by an operator', u.ip_id, u.priority, u.attempts, u.lost_holders,
      u.size_bytes, u.expires_at, u.id, u.message_id, u.organization_id, u.project_id, u.domain, k.numbers, k.recipients
    from unqueued u
    cross join lateral (
      select array_agg(r.number order by r.number) as numbers, array_agg(r.address order by r.number) as recipients
      from unnest(u.numbers, u.recipients) as r (number, address)
      group by lower(r.address) = p_filter ->> 'recipient'
    ) as k
    returning not_before
  )
  select max(p.not_before) into v_due from parted p;

  with whole as materialized (
    select w.*
    from postel.waiting w
    where p_source = 'waiting' and w.id > p_after and w.id <= p_to
      and postel.row_matches(p_filter, w.message_id, w.project_id, w.domain, w.ip_id, w.recipients)
      and not postel.lower_all(w.recipients) <@ array[p_filter ->> 'recipient']
    for update skip locked
  ),
  others as (
    insert into postel.waiting (
      state, not_before, reason, ip_id, priority, attempts, lost_holders, size_bytes, expires_at, former_id, held_from, message_id,
      organization_id, project_id, domain, numbers, recipients
    )
    select
      w.state, w.not_before, w.reason, w.ip_id, w.priority, w.attempts, w.lost_holders, w.size_bytes, w.expires_at, w.former_id,
      w.held_from, w.message_id, w.organization_id, w.project_id, w.domain, k.numbers, k.recipients
    from whole w
    cross join lateral (
      select array_agg(r.number order by r.number) as numbers, array_agg(r.address order by r.number) as recipients
      from unnest(w.numbers, w.recipients) as r (number, address)
      where lower(r.address) <> p_filter ->> 'recipient'
    ) as k
  )
  update postel.waiting w
  set numbers = k.numbers, recipients = k.recipients
  from whole h
  cross join lateral (
    select array_agg(r.number order by r.number) as numbers, array_agg(r.address order by r.number) as recipients
    from unnest(h.numbers, h.recipients) as r (number, address)
    where lower(r.address) = p_filter ->> 'recipient'
  ) as k
  where w.id = h.id;
  return v_due;
end
$$;
comment on function postel.split_rows(text, jsonb, text, bigint, bigint, timestamptz) is
  'Parts rows of several recipients of which an operation means one.';
