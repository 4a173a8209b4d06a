-- submit_raw_with: submits a ready MIME message from psql, for the recipients given (not those of its headers). Line ends
-- become CRLF, Bcc is removed, Date and Message-ID are added where missing. The sender and the one From mailbox must
-- belong to a verified domain. Delivered like any other mail; returns the message's id. Options, all optional:
--   project     name or id; else the oldest project that may use the domain
--   pool        refused when it is not the project's
--   send_at     a time; in the future it schedules the message
--   priority    high, normal or low; else the project's
--   expires_in  seconds, or an interval like `10m`: after that it is not sent any more; never longer than the project allows
create or replace function postel.submit_raw_with(sender text, recipients text[], raw bytea, options jsonb default '{}')
returns uuid
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
declare
  v_from record;
  v_sender record;
  v_project record;
  v_text text;
  v_headers text;
  v_body text;
  v_from_header text;
  v_raw bytea;
  v_addresses text[];
  v_domains text[];
  v_mid text;
  v_priority smallint;
  v_expires_in integer;
  v_result record;
begin
  perform postel.check_options(options, '{project,pool,send_at,priority,expires_in}');
  v_priority := postel.priority_number(options ->> 'priority');
  v_expires_in := postel.lifetime_seconds(options ->> 'expires_in');
  if coalesce(cardinality(recipients), 0) = 0 then
    raise exception 'a message needs at least one recipient' using errcode = 'invalid_parameter_value';
  end if;
  if cardinality(recipients) > 1000 then
    raise exception 'a message takes at most 1000 recipients, not %', cardinality(recipients)
      using errcode = 'invalid_parameter_value';
  end if;
  if octet_length(raw) > 41943040 then
    raise exception 'a message takes at most 41943040 bytes' using errcode = 'program_limit_exceeded';
  end if;
  if position('\x00'::bytea in raw) > 0 then
    raise exception 'a message must not contain NUL' using errcode = 'invalid_parameter_value';
  end if;

  -- LATIN1 maps each byte to one character and back, so text functions may be used on any bytes
  v_text := regexp_replace(convert_from(raw, 'LATIN1'), E'\r\n|\r|\n', E'\r\n', 'g');
  if exists (select from regexp_split_to_table(v_text, E'\r\n') as l (line) where length(l.line) > 998) then
    raise exception 'a line of the message is longer than 998 octets'
      using errcode = 'invalid_parameter_value', hint = 'Encode the body as quoted-printable or base64.';
  end if;
  if right(v_text, 2) <> E'\r\n' then
    v_text := v_text || E'\r\n';
  end if;
  if position(E'\r\n\r\n' in v_text) > 0 then
    v_headers := left(v_text, position(E'\r\n\r\n' in v_text) + 1);
    v_body := substr(v_text, position(E'\r\n\r\n' in v_text) + 2);
  else
    v_headers := v_text;
    v_body := E'\r\n';
  end if;
  if v_headers !~ '^[!-9;-~]+[ \t]*:' then
    raise exception 'the message does not begin with a header' using errcode = 'invalid_parameter_value';
  end if;
  if v_headers ~ '[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]' then
    raise exception 'a header contains control characters' using errcode = 'invalid_parameter_value';
  end if;
  if (select count(*) from regexp_matches(v_headers, '(?:^|\n)from[ \t]*:', 'gi')) <> 1 then
    raise exception 'a message needs exactly one From header' using errcode = 'invalid_parameter_value';
  end if;

  v_from_header := btrim(regexp_replace(
    (regexp_match(v_headers, '(?:^|\n)from[ \t]*:((?:[^\r\n]|\r\n[ \t])*)', 'i'))[1], E'\r\n', '', 'g'));
  if v_from_header ~ '<' and v_from_header !~ '^("([^"\\]|\\.)*"|[^"<>,;:@])*<[^<>]*>$' then
    raise exception 'the From header must hold exactly one mailbox' using errcode = 'invalid_parameter_value';
  end if;
  select * into v_from from postel.address_parts(v_from_header);
  if sender = '' then
    select ''::text as address, v_from.domain as domain into v_sender;
  else
    select * into v_sender from postel.address_parts(sender);
  end if;
  select * into v_project from postel.sender_project(v_from.domain, options ->> 'project');
  if not exists (
    select from postel.projects p join postel.ip_pools l on l.id = p.pool_id
    where p.id = v_project.project_id and l.name = coalesce(options ->> 'pool', l.name)
  ) then
    raise exception 'the project does not use pool %', quote_literal(options ->> 'pool')
      using errcode = 'invalid_parameter_value', hint = 'A message leaves only from its project''s pool.';
  end if;
  if v_sender.domain <> v_from.domain then
    perform postel.sender_project(v_sender.domain, v_project.project_id::text);
  end if;

  select array_agg(r.address order by r.position), array_agg(r.domain order by r.position)
  into v_addresses, v_domains
  from (
    select distinct on (a.address) a.address, a.domain, u.position
    from unnest(recipients) with ordinality as u (address, position)
    cross join lateral postel.address_parts(u.address) as a
    order by a.address, u.position
  ) as r;

  -- one match takes all Bcc fields that follow each other: the next match needs a line end before it
  v_headers := regexp_replace(
    v_headers, '(^|\n)(?:(?:resent-)?bcc[ \t]*:(?:[^\r\n]|\r\n[ \t])*\r\n)+', '\1', 'gi');
  v_mid := (regexp_match(v_headers, '(?:^|\n)message-id[ \t]*:[ \t]*(?:\r\n[ \t]+)?(<[^<>\r\n]*>)', 'i'))[1];
  if v_mid is null then
    v_mid := '<' || replace(gen_random_uuid()::text, '-', '') || '@' || v_from.domain || '>';
    v_headers := v_headers || 'Message-ID: ' || v_mid || E'\r\n';
  end if;
  if v_headers !~* '(^|\n)date[ \t]*:' then
    v_headers := v_headers || 'Date: ' || to_char(now() at time zone 'utc', 'Dy, DD Mon YYYY HH24:MI:SS') || E' +0000\r\n';
  end if;
  v_raw := convert_to(v_headers || v_body, 'LATIN1');

  perform postel.may_submit(v_project.organization_id);
  perform postel.quota_spend(v_project.organization_id, cardinality(v_addresses));
  select b.* into v_result
  from postel.submit_batch(
    json_build_array(json_build_object(
      'org', v_project.organization_id, 'prj', v_project.project_id, 'src', 'sql', 'efrom', v_sender.address,
      'sdom', v_project.signing_domain, 'mid', v_mid, 'hfrom', postel.header_text(v_from_header),
      'subj', coalesce(postel.header_text(
        (regexp_match(v_headers, '(?:^|\n)subject[ \t]*:((?:[^\r\n]|\r\n[ \t])*)', 'i'))[1]), ''),
      'size', octet_length(v_raw), 'off', 1, 'len', octet_length(v_raw), 'enc', 0,
      'prio', v_priority, 'exp', v_expires_in, 'send_at', (options ->> 'send_at')::timestamptz,
      'rcpt', v_addresses, 'rdom', v_domains,
      'det', nullif(jsonb_strip_nulls(jsonb_build_object(
        'eight_bit', case when v_body ~ '[^\x01-\x7f]' then true end,
        'smtp_utf8', case when v_headers ~ '[^\x01-\x7f]' then true end
      )), '{}')
    )),
    v_raw
  ) as b;

  if v_result.ip_ids is not null then
    perform pg_notify('postel_outbound', array_to_string(v_result.ip_ids, ','));
  end if;
  if v_result.due is not null then
    perform postel.schedule_release(v_result.due);
  end if;
  return v_result.message_ids[1];
end
$$;
comment on function postel.submit_raw_with(text, text[], bytea, jsonb) is
  'submit_raw with options: select postel.submit_raw_with(''a@my.org'', array[''b@dest.org''], pg_read_binary_file(...), ''{"priority": "low", "expires_in": "2h"}''). Also project, pool, send_at.';
