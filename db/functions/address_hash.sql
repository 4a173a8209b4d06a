-- address_hash: what stands on a suppression list for an address that was erased: it stays suppressed, and is not there.
create or replace function postel.address_hash(p_address text) returns text
language sql immutable parallel safe
as $$
  select 'sha256:' || encode(sha256(convert_to(lower(p_address), 'UTF8')), 'hex')
$$;
comment on function postel.address_hash(text) is 'What stands on a suppression list for an address that was erased.';
