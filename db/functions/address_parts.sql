-- address_parts: an address given by a person in psql, checked: exactly one `local@domain`, or `Name <local@domain>`,
-- in ASCII, without quotes or control characters, with a domain of two labels or more. Raises what is wrong.
create or replace function postel.address_parts(p_address text, out address text, out domain text)
language plpgsql immutable
as $$
begin
  address := btrim(coalesce(substring(p_address from '<([^<>]*)>\s*$'), p_address), ' ');
  domain := lower(substring(address from '@([^@]*)$'));
  if address !~ '^[A-Za-z0-9.!#$%&''*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}$'
    or domain !~ '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$'
  then
    raise exception 'not a usable e-mail address: %', quote_literal(left(p_address, 100))
      using errcode = 'invalid_parameter_value',
        hint = 'Write local@domain in ASCII; an internationalised domain goes in its xn-- form.';
  end if;
  address := substring(address from '^(.*)@') || '@' || domain;
end
$$;
comment on function postel.address_parts(text) is 'Checks an e-mail address and splits off its domain.';
