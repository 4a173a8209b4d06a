-- node_named: the name of a node, if it is one. Raises otherwise, with those that there are.
create or replace function postel.node_named(p_name text) returns text
language plpgsql stable
as $$
begin
  if not exists (select from postel.nodes n where n.name = p_name) then
    raise exception '% is not one of our nodes', coalesce(p_name, 'null') using errcode = 'invalid_parameter_value',
      hint = coalesce('There are ' || (
        select string_agg(n.name, ', ' order by n.name)
        from (select * from postel.nodes order by last_seen_at desc limit 20) as n
      ) || '.', 'There are none: an outbound process makes its own when it starts.');
  end if;
  return p_name;
end
$$;
comment on function postel.node_named(text) is 'The node of this name.';
