-- send: submits a message from psql, composed here: text, or text and HTML. sender may be `Name <local@domain>`. project
-- is a name or an id; send_at in the future schedules it. Returns the message's id; postel.explain(id) tells its fate.
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
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
declare
  v_boundary text := 'postel-' || replace(gen_random_uuid()::text, '-', '');
  v_name text := btrim(substring(sender from '^(.*)<[^<>]*>\s*$'), ' "');
  v_from record;
  v_project record;
  v_raw text;
  v_id uuid;
begin
  select * into v_from from postel.address_parts(sender);
  if pool is not null then
    select * into v_project from postel.sender_project(v_from.domain, project);
    if not exists (
      select from postel.projects p join postel.ip_pools l on l.id = p.pool_id
      where p.id = v_project.project_id and l.name = send.pool
    ) then
      raise exception 'the project does not use pool %', quote_literal(pool)
        using errcode = 'invalid_parameter_value', hint = 'A message leaves only from its project''s pool.';
    end if;
  end if;

  v_raw :=
    'From: ' || case
      when coalesce(v_name, '') = '' then v_from.address
      when v_name ~ '[^\x20-\x7e]' then postel.encode_header(v_name) || ' <' || v_from.address || '>'
      else '"' || replace(replace(postel.encode_header(v_name), '\', '\\'), '"', '\"') || '" <' || v_from.address || '>'
    end || E'\r\n' ||
    'To: ' || (
      select string_agg(a.address, E',\r\n ' order by r.position)
      from unnest(recipients) with ordinality as r (address, position)
      cross join lateral postel.address_parts(r.address) as a
    ) || E'\r\n' ||
    'Subject: ' || postel.encode_header(coalesce(subject, '')) || E'\r\n' ||
    E'MIME-Version: 1.0\r\n';
  if html is null then
    v_raw := v_raw || postel.mime_text('plain', coalesce(body, ''));
  else
    v_raw := v_raw || 'Content-Type: multipart/alternative; boundary="' || v_boundary || E'"\r\n\r\n' ||
      '--' || v_boundary || E'\r\n' || postel.mime_text('plain', coalesce(body, '')) ||
      '--' || v_boundary || E'\r\n' || postel.mime_text('html', html) ||
      '--' || v_boundary || E'--\r\n';
  end if;

  perform set_config('postel.send_at', coalesce(send_at::text, ''), true);
  v_id := postel.submit_raw(v_from.address, recipients, convert_to(v_raw, 'UTF8'), project);
  -- another submission of this transaction has its own time
  perform set_config('postel.send_at', '', true);
  return v_id;
end
$$;
comment on function postel.send(text, text[], text, text, text, text, text, timestamptz) is
  'Submits a message: select postel.send(''a@my.org'', array[''b@dest.org''], ''subject'', ''text''). Returns its id.';
