-- moderate_mail: holds what a stopped organization has in the queue or waiting, or releases what was held for that once it
-- is stopped no more. Safe to call at any time. Returns how many recipients it is about.
create or replace function postel.moderate_mail(p_organization uuid) returns bigint
language plpgsql
as $$
declare
  v_organization record;
  v_projects jsonb;
begin
  select o.status, o.status_reason into v_organization from postel.organizations o where o.id = p_organization;
  select jsonb_agg(p.id) into v_projects from postel.projects p where p.organization_id = p_organization;
  if v_projects is null then
    return 0;
  elsif v_organization.status in ('no_sending', 'frozen') then
    return postel.start_operation(
      'hold', jsonb_build_object('project_ids', v_projects),
      'organization stopped: ' || coalesce(v_organization.status_reason, 'no reason given'));
  else
    return postel.start_operation('release', jsonb_build_object('project_ids', v_projects, 'stopped', true), null);
  end if;
end
$$;
comment on function postel.moderate_mail(uuid) is
  'Holds the mail of an organization that is stopped, or releases it once it is not.';
