-- source_ip: the id of one of our source IPs by its address. Raises when there is none, with those that there are.
create or replace function postel.source_ip(p_address inet) returns integer
language plpgsql stable
as $$
declare
  v_id integer;
begin
  select a.id into v_id from postel.ip_addresses a where a.address = p_address;
  if v_id is null then
    raise exception '% is not one of our source IPs', coalesce(host(p_address), 'null')
      using errcode = 'invalid_parameter_value',
        hint = coalesce('There are ' || (
          select string_agg(host(a.address), ', ' order by a.address)
          from (select * from postel.ip_addresses order by address limit 20) as a
        ) || '.', 'There are none.');
  end if;
  return v_id;
end
$$;
comment on function postel.source_ip(inet) is 'The id of the source IP with this address.';
