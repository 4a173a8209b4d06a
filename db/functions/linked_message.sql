-- linked_message: the message whose links call it p_ref, submitted around p_at by the clock of the process that made them.
create or replace function postel.linked_message(p_project_id uuid, p_ref text, p_at timestamptz)
returns table (organization_id uuid, message_id uuid)
language sql stable
as $$
  select m.organization_id, m.id
  from postel.messages m
  where m.details ->> 'link_ref' = p_ref and m.details ->> 'link_ref' is not null
    and m.project_id = p_project_id
    and m.id >= postel.uuid_v7_floor(p_at - interval '12 hours')
    and m.id < postel.uuid_v7_floor(p_at + interval '12 hours')
  limit 1
$$;
comment on function postel.linked_message(uuid, text, timestamptz) is
  'The message that a link in it names; unsubscription and tracking look it up.';
