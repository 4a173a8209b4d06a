-- moderate_organization: stops an organization or lets it go on: active; no_sending (its mail is accepted and held);
-- no_receiving (no mail is accepted); frozen (neither, and nothing can be changed). Written down with who did it, told by an
-- event `organization.moderated` and a notice. Mail that is there already follows with moderate_mail, which the caller calls
-- in a transaction of its own, so that it also sees what is accepted meanwhile.
--
-- p_former: only if it has this status, else nothing happens. p_actor: {kind, id, name, address}. Returns the status before,
-- null where there is no such organization.
create or replace function postel.moderate_organization(
  p_organization uuid,
  p_status text,
  p_reason text,
  p_actor json,
  p_details jsonb default null,
  p_former text default null,
  p_now timestamptz default clock_timestamp()
)
returns text
language plpgsql
as $$
declare
  v_organization record;
  v_reason text := case when p_status <> 'active' then nullif(btrim(p_reason), '') end;
  v_data jsonb;
begin
  select o.id, o.name, o.status, o.status_reason into v_organization
  from postel.organizations o
  where o.id = p_organization
  for update;
  if not found or v_organization.status <> p_former then
    return v_organization.status;
  end if;
  if v_organization.status = p_status and v_organization.status_reason is not distinct from v_reason then
    return v_organization.status;
  end if;
  update postel.organizations o
  set status = p_status, status_reason = v_reason, status_at = p_now
  where o.id = p_organization;

  v_data := jsonb_strip_nulls(jsonb_build_object(
    'status', p_status, 'former', v_organization.status, 'reason', nullif(btrim(p_reason), '')
  ) || coalesce(p_details, '{}'));
  insert into postel.audit_log (
    organization_id, actor_kind, actor_id, actor_name, address, action, target_kind, target_id, target_name, details
  )
  values (
    p_organization, p_actor ->> 'kind', p_actor ->> 'id', p_actor ->> 'name', (p_actor ->> 'address')::inet,
    'organization.moderated', 'organization', p_organization::text, v_organization.name, v_data
  );
  insert into postel.events (created_at, organization_id, type, data)
  values (p_now, p_organization, 'organization.moderated', v_data);
  perform postel.send_notice(
    p_organization,
    case p_status
      when 'active' then format('%s may send mail again', v_organization.name)
      else format('%s has been stopped', v_organization.name)
    end,
    case p_status
      when 'active' then E'The organization is active again. Mail that was held is being sent.\n'
      when 'no_sending' then E'Mail is still accepted, and held until this is settled.\n'
      when 'no_receiving' then E'No mail is accepted until this is settled. What was accepted before is sent.\n'
      else E'No mail is accepted or sent, and nothing can be changed, until this is settled.\n'
    end || coalesce(E'\nReason: ' || v_reason || E'\n', '')
  );
  return v_organization.status;
end
$$;
comment on function postel.moderate_organization(uuid, text, text, json, jsonb, text, timestamptz) is
  'Stops an organization, or lets it go on; moderate_mail then does so with its mail.';
