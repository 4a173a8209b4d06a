-- priority_number: queue.priority of a name, 10, 50 or 90; null stays null. Raises for anything else.
create or replace function postel.priority_number(p_name text) returns smallint
language plpgsql immutable strict
as $$
begin
  if lower(p_name) not in ('high', 'normal', 'low') then
    raise exception 'a priority is high, normal or low, not %', quote_literal(left(p_name, 100))
      using errcode = 'invalid_parameter_value';
  end if;
  return case lower(p_name) when 'high' then 10 when 'normal' then 50 else 90 end;
end
$$;
comment on function postel.priority_number(text) is 'The number of a priority: high 10, normal 50, low 90.';
