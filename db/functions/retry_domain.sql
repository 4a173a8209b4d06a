-- retry_domain: tries all deferred mail to a recipient domain now; `*.example.com` is for all below. Returns how many
-- recipients.
create or replace function postel.retry_domain(domain text) returns bigint
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
begin
  if domain is null then
    raise exception 'which domain?' using errcode = 'invalid_parameter_value';
  end if;
  return postel.retry_mail(domain => domain);
end
$$;
comment on function postel.retry_domain(text) is
  'Tries all deferred mail to a domain now: select postel.retry_domain(''example.com''). Returns how many recipients.';
