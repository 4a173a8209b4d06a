-- postpone_waiting: the part of enqueue_waiting for rows that somebody may still be sending: they are released, if they were
-- held, but wait: 10 s while a sender says that it has them, 2 s while it might not have said so yet. Returns how many
-- recipients, and when to look again.
create or replace function postel.postpone_waiting(
  p_ids bigint[],
  p_in_flight bigint[],
  p_now timestamptz,
  out recipients bigint,
  out due timestamptz[]
)
language plpgsql
as $$
declare
  v_message_ids uuid[];
  v_numbers smallint[];
  v_organization_ids uuid[];
begin
  with former as materialized (
    select w.id, w.state from postel.waiting w where w.id = any (p_ids)
  ),
  postponed as (
    update postel.waiting w
    set
      state = 'deferred',
      held_from = null,
      not_before = p_now + case when w.former_id = any (p_in_flight) then interval '10 s' else interval '2 s' end,
      reason = case w.state when 'held' then 'released; waits for who was sending it' else w.reason end,
      expires_at = w.expires_at + case w.state when 'held' then greatest(p_now - w.not_before, interval '0') else interval '0' end
    from former f
    where w.id = f.id
    returning w.message_id, w.numbers, w.organization_id, w.not_before, f.state
  ),
  numbered as (
    select p.message_id, unnest(p.numbers) as number, p.organization_id, p.state from postponed p
  )
  select
    (select count(*) from numbered),
    (select array_agg(distinct p.not_before) from postponed p),
    array_agg(n.message_id), array_agg(n.number), array_agg(n.organization_id)
  into recipients, due, v_message_ids, v_numbers, v_organization_ids
  from numbered n
  where n.state = 'held';
  if v_message_ids is not null then
    perform postel.settle(v_message_ids, v_numbers, v_organization_ids, 'deferred', 'released', null, p_now);
  end if;
end
$$;
comment on function postel.postpone_waiting(bigint[], bigint[], timestamptz) is
  'Postpones rows that somebody may still be sending; part of enqueue_waiting.';
