-- delivery_counts: counts how mail ended, from where it stopped last up to p_until, at most p_limit events, by organization
-- and ten minutes: delivered, bounced, of those to recipients that do not exist, and complaints. Test mail and delivery
-- reports count for nothing where they bounce. The counts and how far they go are one transaction, so each event is counted
-- once. Returns how far it got.
create or replace function postel.delivery_counts(p_until uuid, p_limit integer default 50000) returns uuid
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
set max_parallel_workers_per_gather = 0
as $$
declare
  v_after uuid;
  v_full uuid;
  v_to uuid;
begin
  insert into postel.event_cursors (name, last_event_id, updated_at)
  values ('moderation', p_until, clock_timestamp())
  on conflict (name) do nothing;
  select c.last_event_id into v_after from postel.event_cursors c where c.name = 'moderation' for update;
  select (array_agg(e.id))[p_limit] into v_full
  from (
    select e.id from postel.events e where e.id >= v_after and e.id < p_until order by e.id limit p_limit
  ) as e;
  v_to := coalesce(v_full, p_until);
  if v_to <= v_after then
    return v_after;
  end if;

  insert into postel.delivery_rates as r (organization_id, period, delivered, bounced, invalid, complained)
  select
    e.organization_id, date_bin('10 minutes', e.created_at, 'epoch'),
    count(*) filter (where e.type = 'delivered'),
    count(*) filter (where f.counts and e.type in ('bounced', 'returned')),
    count(*) filter (where f.invalid),
    count(*) filter (where f.counts and e.type = 'complained')
  from postel.events e
  left join lateral (
    select true as counts, case e.type
      when 'bounced' then a.outcome = 'bounced' and a.category = 'invalid_recipient'
      else e.type = 'returned' and e.data ->> 'category' is not distinct from 'invalid_recipient'
    end as invalid
    from postel.messages m
    left join lateral (
      select a.outcome, a.category from postel.attempts a
      where a.message_id = e.message_id and a.number = e.number
      order by a.attempt desc
      limit 1
    ) as a on true
    where m.id = e.message_id and m.source <> 'report' and not m.test
  ) as f on e.type <> 'delivered'
  where e.id >= v_after and e.id < v_to and e.type in ('delivered', 'bounced', 'returned', 'complained') and e.message_id is not null
  group by 1, 2
  order by 1, 2
  on conflict on constraint delivery_rates_pkey do update
  set
    delivered = r.delivered + excluded.delivered,
    bounced = r.bounced + excluded.bounced,
    invalid = r.invalid + excluded.invalid,
    complained = r.complained + excluded.complained;
  update postel.event_cursors c set last_event_id = v_to, updated_at = clock_timestamp() where c.name = 'moderation';
  return v_to;
end
$$;
comment on function postel.delivery_counts(uuid, integer) is
  'Counts how mail ended by organization and ten minutes; the worker calls it until it has got to p_until.';
