-- may_submit: raises where an organization may not submit mail at all, for mail from psql.
create or replace function postel.may_submit(p_organization uuid) returns void
language plpgsql stable
as $$
declare
  v_organization record;
begin
  select o.status, o.status_reason into v_organization from postel.organizations o where o.id = p_organization;
  if v_organization.status in ('no_receiving', 'frozen') then
    raise exception 'the organization is stopped (%): %', v_organization.status,
      coalesce(v_organization.status_reason, 'no reason given')
      using errcode = 'insufficient_privilege';
  end if;
end
$$;
comment on function postel.may_submit(uuid) is 'Raises where an organization may not submit mail.';
