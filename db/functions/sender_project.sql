-- sender_project: which project a message from psql belongs to, and the verified domain that signs it. p_project is a
-- project's name or id; null means the oldest project that may use the domain. Raises what to do when none may.
create or replace function postel.sender_project(
  p_domain text,
  p_project text,
  out organization_id uuid,
  out project_id uuid,
  out signing_domain text
)
language plpgsql stable
as $$
begin
  select p.organization_id, p.id, d.name
  into organization_id, project_id, signing_domain
  from postel.domains d
  join postel.projects p on p.organization_id = d.organization_id and (d.project_id is null or d.project_id = p.id)
    and p.deleted_at is null
  where d.status = 'verified' and d.sending
    and (p_domain = d.name or right(p_domain, length(d.name) + 1) = '.' || d.name)
    and (p_project is null or p.name = p_project or p.id::text = p_project)
  order by length(d.name) desc, p.created_at, p.id
  limit 1;
  if project_id is null then
    raise exception 'no project% may send from %',
      case when p_project is null then '' else ' ' || quote_literal(p_project) end, p_domain
      using errcode = 'insufficient_privilege',
        hint = 'Add the domain to postel.domains and verify it, or name a project that owns it.';
  end if;
end
$$;
comment on function postel.sender_project(text, text) is 'The project and signing domain for a sender domain.';
