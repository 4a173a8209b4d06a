-- settle: writes down that these recipients (position by position: message, number) are in another state now, each with one
-- event of p_event; null: none. A null reply leaves the last one. Returns how many.
create or replace function postel.settle(
  p_message_ids uuid[],
  p_numbers smallint[],
  p_organization_ids uuid[],
  p_state text,
  p_event text,
  p_reply text,
  p_now timestamptz
)
returns bigint
language plpgsql
-- By key from a list whose length the planner cannot know: it must not scan, nor plan all partitions anew each time; nor
-- read an index through where vacuum found the table empty, as it may for a join by equality (hence the array)
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_recipients bigint;
begin
  with settled as (
    update postel.deliveries d
    set state = p_state, updated_at = p_now, last_reply = coalesce(p_reply, d.last_reply)
    from unnest(p_message_ids, p_numbers, p_organization_ids) as r (message_id, number, organization_id)
    where d.message_id = any (array[r.message_id]) and d.number = r.number
    returning r.organization_id, d.message_id, d.number
  ),
  recorded as (
    insert into postel.events (created_at, organization_id, message_id, number, type)
    select p_now, s.organization_id, s.message_id, s.number, p_event
    from settled s
    where p_event is not null
  )
  select count(*) into v_recipients from settled;
  return v_recipients;
end
$$;
comment on function postel.settle(uuid[], smallint[], uuid[], text, text, text, timestamptz) is
  'Writes down the new state of many recipients with an event each.';
