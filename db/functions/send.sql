-- send: send_with, its common options as named parameters.
create or replace function postel.send(
  sender text,
  recipients text[],
  subject text,
  body text,
  html text default null,
  project text default null,
  pool text default null,
  send_at timestamptz default null
)
returns uuid
language sql
as $$
  select postel.send_with(sender, recipients, subject, body, jsonb_strip_nulls(jsonb_build_object(
    'html', send.html, 'project', send.project, 'pool', send.pool, 'send_at', send.send_at
  )))
$$;
comment on function postel.send(text, text[], text, text, text, text, text, timestamptz) is
  'Submits a message: select postel.send(''a@my.org'', array[''b@dest.org''], ''subject'', ''text''). Returns its id.';
