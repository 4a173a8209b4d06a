-- domain_event: writes down that something happened to a domain, with all that a webhook tells of it: the row may be gone by
-- then. p_type: domain.created, domain.updated or domain.deleted.
create or replace function postel.domain_event(p_domain postel.domains, p_type text, p_records jsonb default null) returns void
language sql
as $$
  insert into postel.events (organization_id, type, data)
  values (p_domain.organization_id, p_type, jsonb_build_object(
    'id', p_domain.id,
    'name', p_domain.name,
    'status', postel.domain_status(p_domain),
    'created_at', to_char(p_domain.created_at at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS.US') || '+00',
    'region', p_domain.region,
    'project_id', p_domain.project_id,
    'records', coalesce(p_records, p_domain.checks -> 'records', '[]'::jsonb)
  ))
$$;
comment on function postel.domain_event(postel.domains, text, jsonb) is 'Writes down an event of a domain.';
