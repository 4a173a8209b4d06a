-- pull_from_queue: a chunk of hold, cancel, bounce or move: takes the rows that the filter means and whose ids lie between
-- p_after and p_to (of a phase: every fourth) out of the queue, at most p_limit, the oldest first; `reached` is the id
-- that it got to. A row that somebody else has locked is left for the next round. Rows in flight are
-- taken by hold only. What is held or moved keeps its queue id as former_id and waits 2 s at least, because it may have
-- been loaded already. `recipients`: how many.
create or replace function postel.pull_from_queue(
  p_verb text,
  p_filter jsonb,
  p_reason text,
  p_after bigint,
  p_to bigint,
  p_phase integer,
  p_limit integer,
  p_now timestamptz,
  out recipients bigint,
  out reached bigint
)
language plpgsql
-- Planned for the filter at hand, which decides the index
set plan_cache_mode = force_custom_plan
set enable_seqscan = off
as $$
declare
  v_state text := case p_verb
    when 'hold' then 'held' when 'cancel' then 'cancelled' when 'bounce' then 'bounced' else 'deferred' end;
  v_in_flight bigint[] := case when p_verb = 'hold' then '{}' else postel.in_flight(p_now) end;
  v_rows tid[];
  v_message_ids uuid[];
  v_numbers smallint[];
  v_organization_ids uuid[];
begin
  select array_agg(c.ctid), case when count(*) = p_limit then max(c.id) else p_to end
  into v_rows, reached
  from (
    select q.ctid, q.id
    from postel.ip_addresses a
    join postel.queue q on q.ip_id = a.id and q.id > p_after and q.id <= p_to
    where (p_phase is null or q.id % 4 = p_phase)
      and postel.row_matches(p_filter, q.message_id, q.project_id, q.domain, q.ip_id, q.recipients)
      and q.id <> all (v_in_flight)
    order by q.id
    limit p_limit
    for update of q skip locked
  ) as c;

  with taken as (
    delete from postel.queue q
    where q.ctid = any (v_rows)
    returning q.*
  ),
  postponed as (
    insert into postel.waiting (
      state, not_before, reason, ip_id, priority, attempts, lost_holders, size_bytes, expires_at, former_id, held_from,
      message_id, organization_id, project_id, domain, numbers, recipients
    )
    select
      v_state,
      case p_verb when 'hold' then p_now else p_now + interval '2 s' end,
      p_reason,
      case p_verb when 'hold' then t.ip_id else (p_filter ->> 'to_ip_id')::integer end,
      t.priority, t.attempts, t.lost_holders, t.size_bytes, t.expires_at, t.id,
      case p_verb when 'hold' then 'queued' end,
      t.message_id, t.organization_id, t.project_id, t.domain, t.numbers, t.recipients
    from taken t
    where p_verb in ('hold', 'move')
  )
  select array_agg(t.message_id), array_agg(t.number), array_agg(t.organization_id)
  into v_message_ids, v_numbers, v_organization_ids
  from (select t.message_id, unnest(t.numbers) as number, t.organization_id from taken t) as t;
  recipients := postel.settle(
    v_message_ids, v_numbers, v_organization_ids, v_state,
    case when p_verb <> 'move' then v_state end, case p_verb when 'bounce' then p_reason end, p_now);
end
$$;
comment on function postel.pull_from_queue(text, jsonb, text, bigint, bigint, integer, integer, timestamptz) is
  'A chunk of hold, cancel, bounce or move, of the queue.';
