-- resume: ends the suspension of a recipient domain, written as it was when it was suspended. Its mail leaves in its turn.
-- Returns how many recipients are queued for it.
create or replace function postel.resume(domain text) returns bigint
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
declare
  v_domain text := postel.domain_pattern(domain);
begin
  delete from postel.suspensions s where s.domain = v_domain;
  if not found then
    raise exception '% is not suspended', coalesce(v_domain, 'null') using errcode = 'invalid_parameter_value',
      hint = 'See table postel.suspensions_now. What outbound suspended itself, for one source IP, stands in postel.ips_now and ends by itself.';
  end if;
  perform pg_notify('postel_control', 'suspensions');
  return (
    select coalesce(sum(cardinality(q.numbers)), 0) from postel.queue q
    where case when v_domain like '*.%' then right(q.domain, length(v_domain) - 1) = substr(v_domain, 2)
      else q.domain = v_domain end
  );
end
$$;
comment on function postel.resume(text) is
  'Ends the suspension of a domain: select postel.resume(''example.com''). Returns how many recipients are queued for it.';
