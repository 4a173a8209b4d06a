-- suppress_unsubscribed: a recipient no longer wants mail of a project, and says so by the link in a message of it, whose
-- word the caller has checked. False where he had said so before; else it makes an `unsubscribed` event too.
create or replace function postel.suppress_unsubscribed(
  p_project_id uuid,
  p_ref text,
  p_at timestamptz,
  p_number smallint,
  p_address text,
  p_data jsonb,
  p_now timestamptz default clock_timestamp()
)
returns boolean
language plpgsql
as $$
declare
  v_organization_id uuid := (select p.organization_id from postel.projects p where p.id = p_project_id);
  -- The message may be past its retention
  v_message_id uuid := (select m.message_id from postel.linked_message(p_project_id, p_ref, p_at) as m);
begin
  if v_organization_id is null or 0 = (
    select s.added from postel.suppress_addresses(
      v_organization_id, p_project_id,
      json_build_array(json_build_object(
        'address', p_address, 'origin', 'unsubscribe', 'reason', 'The recipient unsubscribed.',
        'message_id', v_message_id
      )),
      p_now => p_now
    ) as s
  ) then
    return false;
  end if;
  insert into postel.events (created_at, organization_id, message_id, number, type, data)
  values (
    p_now, v_organization_id, v_message_id, case when v_message_id is not null then p_number end, 'unsubscribed',
    p_data || jsonb_build_object('email', lower(p_address), 'project_id', p_project_id)
  );
  return true;
end
$$;
comment on function postel.suppress_unsubscribed(uuid, text, timestamptz, smallint, text, jsonb, timestamptz) is
  'Takes a recipient off a project''s mail by his own word; the api calls it.';
