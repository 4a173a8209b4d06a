-- expire_waiting: ends mail that found no source IP before it grew too old, at most p_limit rows. (Mail that can be tried
-- expires with its last try.) Returns how many rows.
create or replace function postel.expire_waiting(p_limit integer default 5000, p_now timestamptz default clock_timestamp())
returns integer
language sql
as $$
  with taken as (
    delete from postel.waiting w
    using (
      select o.id from postel.waiting o
      where o.state = 'deferred' and o.ip_id is null and o.expires_at <= p_now
      limit p_limit
      for update skip locked
    ) as o
    where w.id = o.id
    returning w.*
  ),
  settled as (
    update postel.deliveries d
    set state = 'expired', updated_at = p_now
    from (select t.message_id, t.organization_id, unnest(t.numbers) as number from taken t) as r
    where d.message_id = r.message_id and d.number = r.number
      and d.state not in ('delivered', 'bounced', 'expired', 'cancelled', 'suppressed')
    returning r.organization_id, d.message_id, d.number, d.state
  ),
  recorded as (
    insert into postel.events (created_at, organization_id, message_id, number, type)
    select p_now, s.organization_id, s.message_id, s.number, s.state
    from settled s
  )
  select count(*)::integer from taken
$$;
comment on function postel.expire_waiting(integer, timestamptz) is 'Expires mail that has waited for a source IP too long.';
