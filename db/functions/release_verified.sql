-- release_verified: what hold_unverified held goes on; what a person held does not.
create or replace function postel.release_verified(p_organization uuid, p_domain text) returns bigint
language sql
as $$
  select postel.start_operation(
    'release',
    jsonb_build_object(
      'project_ids', (select coalesce(jsonb_agg(p.id), '[]') from postel.projects p where p.organization_id = p_organization),
      'held_for', postel.unverified_reason(p_domain)
    ),
    null
  )
$$;
comment on function postel.release_verified(uuid, text) is 'Releases the mail that waited for its domain to be verified.';
