-- erase_json: a JSON value in which each text that contains one of these addresses (lower case) is `erased@erased.invalid`, and
-- each key that is one of them too.
create or replace function postel.erase_json(p_value jsonb, p_addresses text[]) returns jsonb
language plpgsql immutable
as $$
begin
  case jsonb_typeof(p_value)
    when 'object' then
      return (
        select coalesce(jsonb_object_agg(
          case when postel.names_address(f.key, p_addresses) then 'erased@erased.invalid' else f.key end,
          postel.erase_json(f.value, p_addresses)
        ), '{}')
        from jsonb_each(p_value) as f
      );
    when 'array' then
      return (
        select coalesce(jsonb_agg(postel.erase_json(e.value, p_addresses) order by e.position), '[]')
        from jsonb_array_elements(p_value) with ordinality as e (value, position)
      );
    when 'string' then
      return case when postel.names_address(p_value #>> '{}', p_addresses) then '"erased@erased.invalid"' else p_value end;
    else
      return p_value;
  end case;
end
$$;
comment on function postel.erase_json(jsonb, text[]) is 'A JSON value without these addresses.';
