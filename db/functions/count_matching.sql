-- count_matching: how much mail an operation would change now: rows, and the recipients of them that are meant. Mail that
-- is being sent counts for `hold` only. Looks no further than p_limit rows, and not at those with higher ids than the
-- maxima, which are for move, release and retry. What each verb is for: hold, cancel and bounce
-- take mail from the queue and from waiting; release takes what is held; retry what is deferred; move the queue of one IP.
-- held_for in the filter: only what waits for this very reason. What a stopped organization has is not released, whoever
-- asks; `stopped` in the filter: it is stopped no more, and what was held for that goes on. `held_by_all`: what hold_all held
-- and still has its body.
create or replace function postel.count_matching(
  p_verb text,
  p_filter jsonb,
  p_limit bigint default null,
  p_queue_max bigint default null,
  p_waiting_max bigint default null,
  out rows bigint,
  out recipients bigint
)
language plpgsql stable
-- Planned for the filter at hand, which decides the index
set plan_cache_mode = force_custom_plan
as $$
declare
  v_in_flight bigint[] := postel.in_flight();
begin
  select count(*), coalesce(sum(m.meant), 0)
  into rows, recipients
  from (
    select
      case when p_filter ->> 'recipient' is null then cardinality(q.numbers)
        else cardinality(array_positions(postel.lower_all(q.recipients), p_filter ->> 'recipient')) end as meant
    from postel.queue q
    where p_verb in ('hold', 'cancel', 'bounce', 'move')
      and postel.row_matches(p_filter, q.message_id, q.project_id, q.domain, q.ip_id, q.recipients)
      and (p_verb = 'hold' or q.id <> all (v_in_flight))
      and (p_verb <> 'move' or p_queue_max is null or q.id <= p_queue_max)
    union all
    select
      case when p_filter ->> 'recipient' is null then cardinality(w.numbers)
        else cardinality(array_positions(postel.lower_all(w.recipients), p_filter ->> 'recipient')) end
    from postel.waiting w
    where case p_verb
        when 'hold' then w.state in ('deferred', 'scheduled')
        when 'release' then w.state = 'held'
        when 'retry' then w.state = 'deferred' and w.former_id is null
        when 'move' then false
        else w.former_id is null or w.former_id <> all (v_in_flight)
      end
      and (p_waiting_max is null or w.id <= p_waiting_max)
      and (p_filter ->> 'held_for' is null or w.reason = p_filter ->> 'held_for')
      and (p_verb <> 'release' or not exists (
        select from postel.organizations o where o.id = w.organization_id and o.status in ('no_sending', 'frozen')
      ))
      and (not (p_filter ? 'stopped') or w.reason like 'organization stopped: %')
      and (not (p_filter ? 'held_by_all') or (
        w.reason like 'all mail held: %'
        and exists (select from postel.message_bodies b where b.message_id = w.message_id)
      ))
      and postel.row_matches(p_filter, w.message_id, w.project_id, w.domain, w.ip_id, w.recipients)
    limit p_limit
  ) as m;
end
$$;
comment on function postel.count_matching(text, jsonb, bigint, bigint, bigint) is 'How much mail an operation would change now.';
