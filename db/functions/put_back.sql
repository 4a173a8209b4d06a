-- put_back: a chunk of release or retry: of the rows of waiting that the filter means and whose ids lie between p_after and
-- p_to, the held or the deferred ones go to the queue (enqueue_waiting). A released row that was scheduled for a time
-- still to come is scheduled again. Deferred rows that a person has just moved are on their way already and are not retried.
-- What a stopped organization has stays held (see count_matching). A row that somebody else has locked is left for the next
-- round. `reached` is the id that it got to, after at most p_limit rows.
create or replace function postel.put_back(
  p_verb text,
  p_filter jsonb,
  p_after bigint,
  p_to bigint,
  p_phase integer,
  p_limit integer,
  p_now timestamptz,
  out recipients bigint,
  out reached bigint,
  out ip_ids integer[],
  out due timestamptz[]
)
language plpgsql
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_ids bigint[];
  v_scheduled bigint;
  v_scheduled_due timestamptz[];
  v_released record;
begin
  v_ids := array(
    select w.id
    from postel.waiting w
    where w.id > p_after and w.id <= p_to
      and case p_verb when 'release' then w.state = 'held' else w.state = 'deferred' and w.former_id is null end
      and (p_phase is null or w.id % 4 = p_phase)
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
    order by w.id
    limit p_limit
    for update skip locked
  );
  reached := case when cardinality(v_ids) = p_limit then v_ids[p_limit] else p_to end;

  with rescheduled as (
    update postel.waiting w
    set state = 'scheduled', held_from = null, reason = 'scheduled by the sender'
    where w.id = any (v_ids) and w.state = 'held' and w.held_from = 'scheduled' and w.not_before > p_now
    returning w.*
  ),
  settled as (
    update postel.deliveries d
    set state = 'scheduled', updated_at = p_now
    from (select s.message_id, s.organization_id, unnest(s.numbers) as number from rescheduled s) as r
    where d.message_id = r.message_id and d.number = r.number
    returning r.organization_id, d.message_id, d.number
  ),
  recorded as (
    insert into postel.events (created_at, organization_id, message_id, number, type)
    select p_now, s.organization_id, s.message_id, s.number, 'released'
    from settled s
  )
  select (select count(*) from settled), (select array_agg(distinct s.not_before) from rescheduled s)
  into v_scheduled, v_scheduled_due;

  select e.* into v_released
  from postel.enqueue_waiting(
    case when v_scheduled = 0 then v_ids
      else array(select w.id from postel.waiting w where w.id = any (v_ids) and w.state <> 'scheduled') end,
    p_now
  ) as e;
  recipients := v_scheduled + v_released.recipients;
  ip_ids := v_released.ip_ids;
  due := v_scheduled_due || v_released.due;
end
$$;
comment on function postel.put_back(text, jsonb, bigint, bigint, integer, integer, timestamptz) is 'A chunk of release or retry.';
