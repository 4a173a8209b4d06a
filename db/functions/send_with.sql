-- send_with: submits a message from psql, composed here: text, or text and HTML. sender may be `Name <local@domain>`.
-- Options: html, and those of submit_raw_with (project, pool, send_at, priority, expires_in). Returns the message's id;
-- postel.explain(id) tells its fate.
create or replace function postel.send_with(
  sender text,
  recipients text[],
  subject text,
  body text,
  options jsonb default '{}'
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
  v_html text := options ->> 'html';
  v_raw text;
begin
  perform postel.check_options(options, '{html,project,pool,send_at,priority,expires_in}');
  select * into v_from from postel.address_parts(sender);
  v_raw :=
    'From: ' || case
      when coalesce(v_name, '') = '' then v_from.address
      when v_name ~ '[^\x20-\x7e]' then postel.encode_header(v_name) || E'\r\n <' || v_from.address || '>'
      else '"' || replace(replace(postel.encode_header(v_name), '\', '\\'), '"', '\"') || '" <' || v_from.address || '>'
    end || E'\r\n' ||
    'To: ' || (
      select string_agg(a.address, E',\r\n ' order by r.position)
      from unnest(recipients) with ordinality as r (address, position)
      cross join lateral postel.address_parts(r.address) as a
    ) || E'\r\n' ||
    'Subject: ' || postel.encode_header(coalesce(subject, '')) || E'\r\n' ||
    E'MIME-Version: 1.0\r\n';
  if v_html is null then
    v_raw := v_raw || postel.mime_text('plain', coalesce(body, ''));
  else
    v_raw := v_raw || 'Content-Type: multipart/alternative; boundary="' || v_boundary || E'"\r\n\r\n' ||
      '--' || v_boundary || E'\r\n' || postel.mime_text('plain', coalesce(body, '')) ||
      '--' || v_boundary || E'\r\n' || postel.mime_text('html', v_html) ||
      '--' || v_boundary || E'--\r\n';
  end if;

  return postel.submit_raw_with(v_from.address, recipients, convert_to(v_raw, 'UTF8'), options - 'html');
end
$$;
comment on function postel.send_with(text, text[], text, text, jsonb) is
  'send with options: select postel.send_with(''a@my.org'', array[''b@dest.org''], ''code'', ''1234'', ''{"priority": "high", "expires_in": "10m"}''). Also html, project, pool, send_at.';
