-- domain_pattern: a recipient domain as a person writes it, in the form of our tables: lower case, no dot at the end,
-- `*.example.com` for all below. Raises what to write instead when it is no domain. Null stays null.
create or replace function postel.domain_pattern(p_domain text) returns text
language plpgsql immutable
as $$
declare
  v_domain text := rtrim(lower(btrim(p_domain)), '.');
begin
  if length(v_domain) > 253 or v_domain !~ '^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' then
    raise exception 'not a domain: %', quote_literal(p_domain)
      using errcode = 'invalid_parameter_value',
        hint = 'Write example.com, *.example.com for all below it, and an international one as xn--….';
  end if;
  return v_domain;
end
$$;
comment on function postel.domain_pattern(text) is 'A recipient domain, or `*.domain` for all below, checked and in lower case.';
