-- cancel_scheduled: what of a message is scheduled is not sent any more; each recipient is cancelled, with an event. What is
-- on its way already is not touched. Returns the message, where any of it was scheduled.
create or replace function postel.cancel_scheduled(
  p_organization_id uuid,
  p_project_ids uuid[],
  p_message_id uuid,
  p_now timestamptz default clock_timestamp()
)
returns table (id uuid, name text)
language plpgsql
as $$
declare
  v_numbers smallint[];
begin
  with ended as (
    delete from postel.waiting w
    where w.message_id = p_message_id
      and w.organization_id = p_organization_id and w.project_id = any (p_project_ids)
      and 'scheduled' in (w.state, w.held_from)
    returning w.numbers
  )
  select array_agg(n) into v_numbers from ended, unnest(ended.numbers) as n;
  if v_numbers is null then
    return;
  end if;
  perform postel.settle(
    array_fill(p_message_id, array[cardinality(v_numbers)]), v_numbers,
    array_fill(p_organization_id, array[cardinality(v_numbers)]), 'cancelled', 'cancelled', null, p_now);
  return query select m.id, m.subject from postel.messages m where m.id = p_message_id;
end
$$;
comment on function postel.cancel_scheduled(uuid, uuid[], uuid, timestamptz) is
  'Cancels a scheduled message; POST /emails/{id}/cancel calls it.';
