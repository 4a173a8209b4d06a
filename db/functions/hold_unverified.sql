-- hold_unverified: holds all mail of the organization that is to be signed by this domain, unless the domain is verified, or
-- that is being done already.
-- Returns how many recipients; what is more than 10,000 rows goes on in the background.
create or replace function postel.hold_unverified(p_organization uuid, p_domain text) returns bigint
language plpgsql
as $$
declare
  v_filter jsonb := jsonb_build_object(
    'project_ids', (
      select coalesce(jsonb_agg(p.id order by p.id), '[]') from postel.projects p where p.organization_id = p_organization
    ),
    'signed_by', p_domain
  );
begin
  if exists (
    select from postel.domains d
    where d.organization_id = p_organization and d.name = p_domain and d.status = 'verified'
  ) or exists (
    select from postel.operations o where o.finished_at is null and o.verb = 'hold' and o.filter = v_filter
  ) then
    return 0;
  end if;
  return postel.start_operation('hold', v_filter, postel.unverified_reason(p_domain));
end
$$;
comment on function postel.hold_unverified(uuid, text) is 'Holds the mail of a domain that is not verified.';
