-- check_options: raises where options is no object or has a key that is not allowed, so that a typo is not a default.
create or replace function postel.check_options(p_options jsonb, p_allowed text[]) returns void
language plpgsql immutable
as $$
declare
  v_key text;
begin
  if jsonb_typeof(p_options) is distinct from 'object' then
    raise exception 'options must be a JSON object' using errcode = 'invalid_parameter_value';
  end if;
  for v_key in select jsonb_object_keys(p_options) loop
    if v_key <> all (p_allowed) then
      raise exception 'unknown option %', quote_literal(left(v_key, 100))
        using errcode = 'invalid_parameter_value', hint = 'Known are: ' || array_to_string(p_allowed, ', ') || '.';
    end if;
  end loop;
end
$$;
comment on function postel.check_options(jsonb, text[]) is 'Refuses options that are not known.';
