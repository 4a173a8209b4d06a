-- suppress_from_events: reads a stretch of events, after p_after and before p_until, and suppresses the recipients whose
-- mail bounced, at once or after it had been taken, for a reason of postel.suppress_policy, or who complained: for the project that wrote to them, as another
-- project may be another customer. What a person bounced, test mail and delivery reports do not count.
--
-- Safe to repeat: what is suppressed stays as it is, and who was taken off the list after the event stays off.
-- last_id is the last event looked at, or p_until when that was all; `read` counts them, `added` what was not suppressed
-- before.
create or replace function postel.suppress_from_events(
  p_after uuid,
  p_until uuid,
  p_limit integer default 50000,
  p_now timestamptz default clock_timestamp(),
  out last_id uuid,
  out read integer,
  out added integer
)
language plpgsql
-- By key from few rows, whatever the planner knows of the tables
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
set max_parallel_workers_per_gather = 0
as $$
declare
  v_full uuid;
  v_list record;
begin
  select count(*), (array_agg(c.id))[p_limit] into read, v_full
  from (
    select e.id from postel.events e
    where e.id > p_after and e.id < p_until
    order by e.id
    limit p_limit
  ) as c;
  last_id := coalesce(v_full, p_until);
  added := 0;

  for v_list in
    with failed as materialized (
      select e.message_id, e.number, e.type, e.data, postel.uuid_v7_time(e.id) as at
      from postel.events e
      where e.id > p_after and e.id <= last_id and e.id < p_until
        and e.type in ('bounced', 'returned', 'complained') and e.message_id is not null and e.number is not null
    ),
    unwanted as materialized (
      select
        m.organization_id, m.project_id, m.id as message_id, d.recipient as address, f.at,
        case f.type when 'complained' then 'complaint' else 'bounce' end as origin,
        case f.type
          when 'bounced' then d.last_reply
          when 'returned' then f.data ->> 'reply'
          else 'The recipient marked it as spam.'
        end as reason,
        case when f.type <> 'complained' then p_now + p.lasts end as expires_at
      from failed f
      cross join lateral (
        select t.id, t.organization_id, t.project_id from postel.messages t
        where t.id = f.message_id and t.source <> 'report' and not t.test
        offset 0
      ) as m
      join postel.deliveries d on d.message_id = f.message_id and d.number = f.number
      left join lateral (
        select a.outcome, a.category from postel.attempts a
        where a.message_id = f.message_id and a.number = f.number
        order by a.attempt desc
        limit 1
      ) as a on true
      left join postel.suppress_policy() as p
        on (f.type = 'bounced' and p.category = a.category and a.outcome = 'bounced')
        or (f.type = 'returned' and p.category = f.data ->> 'category' and f.data -> 'permanent' = 'true')
      where f.type = 'complained'
        or (f.type = 'returned' and p.category is not null)
        or (f.type = 'bounced' and d.state = 'bounced' and p.category is not null)
    )
    select u.organization_id, u.project_id, json_agg(json_build_object(
      'address', u.address, 'origin', u.origin, 'reason', u.reason, 'message_id', u.message_id,
      'expires_at', u.expires_at, 'at', u.at
    ) order by u.at) as entries
    from unwanted u
    group by u.organization_id, u.project_id
    order by u.organization_id, u.project_id
  loop
    added := added + (
      select s.added from postel.suppress_addresses(
        v_list.organization_id, v_list.project_id, v_list.entries, p_now => p_now
      ) as s
    );
  end loop;
end
$$;
comment on function postel.suppress_from_events(uuid, uuid, integer, timestamptz) is
  'Suppresses the recipients that a stretch of events speaks against; the worker''s task `suppressions` calls it.';
