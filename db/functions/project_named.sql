-- project_named: the project with this name or id. Raises when there is none, and when several organizations have one of
-- this name: then the error lists their ids. A deleted project has its id only.
create or replace function postel.project_named(p_project text) returns uuid
language plpgsql stable
as $$
declare
  v_ids uuid[] := array(
    select p.id from postel.projects p
    where (p.name = p_project and p.deleted_at is null) or p.id::text = lower(p_project)
    order by p.id
  );
begin
  if cardinality(v_ids) = 0 then
    raise exception 'there is no project %', quote_literal(p_project)
      using errcode = 'invalid_parameter_value', hint = 'Give its name or its id as table postel.projects has them.';
  elsif cardinality(v_ids) > 1 then
    raise exception '% projects are called %', cardinality(v_ids), quote_literal(p_project)
      using errcode = 'invalid_parameter_value',
        hint = 'Give the id instead: ' || (
          select string_agg(format('%s (organization %s)', p.id, o.name), ', ' order by p.id)
          from postel.projects p join postel.organizations o on o.id = p.organization_id
          where p.id = any (v_ids)
        );
  end if;
  return v_ids[1];
end
$$;
comment on function postel.project_named(text) is 'The id of the project with this name or id.';
