-- last_event: the newest thing that happened to any recipient of a message: the state of the recipient that changed last, or
-- what came after that (opened, clicked, complained, or bounced where it came back from a remote that had taken it). A final
-- state wins among those of one moment. `failed` is what ended without having been tried. One row, which as a set becomes part of the query that asks.
create or replace function postel.last_event(p_message_id uuid) returns table (event text)
language sql stable
as $$
  select l.type
  from (
    (
      select
        case when d.state in ('bounced', 'expired') and d.attempts = 0 then 'failed' else d.state end as type,
        d.updated_at as at, d.state in ('queued', 'scheduled') as first, d.number
      from postel.deliveries d
      where d.message_id = p_message_id
      order by d.updated_at desc, d.state in ('queued', 'scheduled'), d.number desc
      limit 1
    )
    union all
    (
      select case e.type when 'returned' then 'bounced' else e.type end, e.created_at, false, 32767
      from postel.events e
      where e.message_id = p_message_id
        and e.type not in ('accepted', 'queued', 'deferred', 'delivered')
        and e.type in ('opened', 'clicked', 'complained', 'returned')
        -- What happens to a message is never older than the message
        and e.id >= postel.uuid_v7_floor(postel.uuid_v7_time(p_message_id))
      order by e.created_at desc
      limit 1
    )
  ) as l
  order by l.at desc, l.first, l.number desc
  limit 1
$$;
comment on function postel.last_event(uuid) is
  'The newest thing that happened to any recipient of a message: a state, or failed, opened, clicked, complained.';
