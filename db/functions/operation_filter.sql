-- operation_filter: the arguments of hold, release, cancel, bounce and retry, checked, as the filter that row_matches reads.
-- Raises when none is given, because nobody means all mail of everybody.
create or replace function postel.operation_filter(
  message_id uuid,
  project text,
  domain text,
  ip inet,
  sender text,
  recipient text,
  older_than interval
)
returns jsonb
language plpgsql stable
as $$
declare
  v_domain text := postel.domain_pattern(domain);
begin
  if num_nonnulls(message_id, project, domain, ip, sender, recipient, older_than) = 0 then
    raise exception 'which mail? Nothing was named' using errcode = 'invalid_parameter_value',
      hint = 'Give a message''s id, or at least one of project, domain, ip, sender, recipient, older_than, each by name: project => ''shop''.';
  end if;
  if sender !~ '^([^@]+|\*)@[^@]+$' and sender <> '' then
    raise exception 'not an envelope sender: %', quote_literal(sender)
      using errcode = 'invalid_parameter_value', hint = 'Give an address, or *@example.com for all of a domain.';
  end if;
  if recipient !~ '^.+@[^@]+$' then
    raise exception 'not an address: %', quote_literal(recipient)
      using errcode = 'invalid_parameter_value', hint = 'For all of a domain say domain => ''example.com''.';
  end if;
  if older_than < interval '0' then
    raise exception 'older_than must not be negative' using errcode = 'invalid_parameter_value',
      hint = 'older_than => ''2 hours'' means mail that was submitted more than two hours ago.';
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'message_id', message_id,
    'project_id', case when project is not null then postel.project_named(project) end,
    'domain', case when v_domain not like '*.%' then v_domain end,
    'below', case when v_domain like '*.%' then substr(v_domain, 2) end,
    'ip_id', case when ip is not null then postel.source_ip(ip) end,
    'sender', lower(sender),
    'recipient', lower(recipient),
    'before', postel.uuid_v7_floor(clock_timestamp() - older_than)
  ));
end
$$;
comment on function postel.operation_filter(uuid, text, text, inet, text, text, interval) is
  'The arguments of hold, release, cancel, bounce and retry, checked, as a filter.';
