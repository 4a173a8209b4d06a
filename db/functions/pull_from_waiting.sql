-- pull_from_waiting: a chunk of hold, cancel or bounce: the rows of waiting that the filter means and whose ids lie between
-- p_after and p_to (of a phase: every fourth) are held, or taken out for good, at most p_limit; `reached` is the id that it
-- got to. A row that somebody else has locked is left for the next round; one that a person took out of the queue while
-- it was being sent, and that still is, is not cancelled or bounced. A held row keeps the moment it was held as
-- not_before (a scheduled one its own), so that its release can give it the time back. `recipients`: how many.
create or replace function postel.pull_from_waiting(
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
  v_state text := case p_verb when 'hold' then 'held' when 'cancel' then 'cancelled' else 'bounced' end;
  v_in_flight bigint[] := postel.in_flight(p_now);
  v_rows tid[];
  v_message_ids uuid[];
  v_numbers smallint[];
  v_organization_ids uuid[];
begin
  select array_agg(c.ctid), case when count(*) = p_limit then max(c.id) else p_to end
  into v_rows, reached
  from (
    select w.ctid, w.id
    from postel.waiting w
    where w.id > p_after and w.id <= p_to
      and case p_verb when 'hold' then w.state <> 'held'
        else w.former_id is null or w.former_id <> all (v_in_flight) end
      and (p_phase is null or w.id % 4 = p_phase)
      and postel.row_matches(p_filter, w.message_id, w.project_id, w.domain, w.ip_id, w.recipients)
    order by w.id
    limit p_limit
    for update skip locked
  ) as c;

  with held as (
    update postel.waiting w
    set
      state = 'held',
      held_from = w.state,
      reason = p_reason,
      not_before = case w.state when 'scheduled' then w.not_before else p_now end
    where w.ctid = any (v_rows) and p_verb = 'hold'
    returning w.message_id, w.numbers, w.organization_id
  ),
  ended as (
    delete from postel.waiting w
    where w.ctid = any (v_rows) and p_verb <> 'hold'
    returning w.message_id, w.numbers, w.organization_id
  )
  select array_agg(t.message_id), array_agg(t.number), array_agg(t.organization_id)
  into v_message_ids, v_numbers, v_organization_ids
  from (
    select t.message_id, unnest(t.numbers) as number, t.organization_id
    from (select * from held union all select * from ended) as t
  ) as t;
  recipients := postel.settle(
    v_message_ids, v_numbers, v_organization_ids, v_state, v_state, case p_verb when 'bounce' then p_reason end, p_now);
end
$$;
comment on function postel.pull_from_waiting(text, jsonb, text, bigint, bigint, integer, integer, timestamptz) is
  'A chunk of hold, cancel or bounce, of what waits.';
