-- unverified_reason: why mail of a domain is held. What is held for it is found by this text when it may go on.
create or replace function postel.unverified_reason(p_domain text) returns text
language sql immutable
as $$
  select 'the domain ' || p_domain || ' is not verified'
$$;
comment on function postel.unverified_reason(text) is 'Why mail of a domain is held.';
