-- reschedule: what of a message is scheduled leaves at p_at instead, its lifetime counted from there; what is held keeps
-- being held. A moment in the past is now. One event says so. Returns the message, where any of it was scheduled.
create or replace function postel.reschedule(
  p_organization_id uuid,
  p_project_ids uuid[],
  p_message_id uuid,
  p_at timestamptz,
  p_now timestamptz default clock_timestamp()
)
returns table (id uuid, name text, due timestamptz)
language plpgsql
as $$
declare
  v_due timestamptz := greatest(p_at, p_now);
  v_rows integer;
begin
  update postel.waiting w
  set not_before = v_due, expires_at = w.expires_at + (v_due - w.not_before)
  where w.message_id = p_message_id
    and w.organization_id = p_organization_id and w.project_id = any (p_project_ids)
    and 'scheduled' in (w.state, w.held_from);
  get diagnostics v_rows = row_count;
  if v_rows = 0 then
    return;
  end if;
  insert into postel.events (created_at, organization_id, message_id, type, data)
  values (p_now, p_organization_id, p_message_id, 'rescheduled', jsonb_build_object('scheduled_at', v_due));
  return query
    select m.id, m.subject, v_due from postel.messages m where m.id = p_message_id;
end
$$;
comment on function postel.reschedule(uuid, uuid[], uuid, timestamptz, timestamptz) is
  'Gives a scheduled message another time; PATCH /emails/{id} calls it.';
