-- names_address: whether a text contains one of these addresses (lower case).
create or replace function postel.names_address(p_text text, p_addresses text[]) returns boolean
language sql immutable
as $$
  select coalesce(bool_or(position(a.address in lower(p_text)) > 0), false) from unnest(p_addresses) as a (address)
$$;
comment on function postel.names_address(text, text[]) is 'Whether a text contains one of these addresses.';
