-- suppress_event_data: the data of an event about a suppression, as events and webhooks tell it.
create or replace function postel.suppress_event_data(
  p_id uuid,
  p_project_id uuid,
  p_address text,
  p_origin text,
  p_message_id uuid,
  p_created_at timestamptz
)
returns jsonb
language sql stable
as $$
  select jsonb_build_object(
    'id', p_id, 'email', p_address, 'origin', p_origin, 'source_id', p_message_id,
    'created_at', to_char(p_created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00',
    'project_id', p_project_id
  )
$$;
comment on function postel.suppress_event_data(uuid, uuid, text, text, uuid, timestamptz) is
  'The data of an event about a suppression.';
