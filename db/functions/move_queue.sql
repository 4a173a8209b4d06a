-- move_queue: what is queued on one source IP, but not being sent, goes to another of the same pool. New mail is chosen for
-- as before: to keep it away from the first, drain or pause that. Returns how many rows move.
create or replace function postel.move_queue("from" inet, "to" inet) returns bigint
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
declare
  v_from postel.ip_addresses;
  v_to postel.ip_addresses;
begin
  select a.* into v_from from postel.ip_addresses a where a.id = postel.source_ip("from");
  select a.* into v_to from postel.ip_addresses a where a.id = postel.source_ip("to");
  if v_from.id = v_to.id then
    raise exception 'from and to are the same source IP' using errcode = 'invalid_parameter_value';
  end if;
  if v_from.pool_id <> v_to.pool_id then
    raise exception '% is not in the pool of %', host("to"), host("from") using errcode = 'invalid_parameter_value',
      hint = 'Mail never leaves its pool. In this one: ' || (
        select string_agg(host(a.address), ', ' order by a.address) from postel.ip_addresses a where a.pool_id = v_from.pool_id
      ) || '.';
  end if;
  if v_to.state not in ('active', 'warming') then
    raise exception '% %', host("to"), postel.ip_trouble(v_to.id) using errcode = 'invalid_parameter_value',
      hint = 'Mail moves only to an IP that is active: select postel.resume_ip(' || quote_literal(host("to")) || ').';
  end if;
  return postel.move_ip_queue(v_from.id, v_to.id, 'to ' || host("to") || ', ' || postel.signed_reason(null));
end
$$;
comment on function postel.move_queue(inet, inet) is
  'Moves the queue of one source IP to another of its pool: select postel.move_queue(''192.0.2.1'', ''192.0.2.2''). Returns how many rows move.';
