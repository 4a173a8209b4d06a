-- steer: hold, release, cancel, bounce or retry as an app asks for it: the functions of these names with the tenant in the
-- filter. An organization's projects, or the one that is given, are all that it reaches; without both it reaches
-- everybody's mail. It is always written down, also when there is no such mail. Returns the operation's id.
create or replace function postel.steer(
  p_verb text,
  p_organization_id uuid,
  p_project_id uuid,
  p_message_id uuid,
  p_domain text,
  p_ip inet,
  p_sender text,
  p_recipient text,
  p_older_than interval,
  p_reason text
)
returns bigint
language plpgsql
as $$
declare
  -- a chunk turns it off; who is told an id finds it after a crash
  v_synchronous_commit constant text := current_setting('synchronous_commit');
  v_filter jsonb := '{}';
  v_found record;
  v_id bigint;
begin
  if p_verb is null or p_verb not in ('hold', 'release', 'cancel', 'bounce', 'retry') then
    raise exception 'not a verb: %', p_verb using errcode = 'invalid_parameter_value';
  end if;
  if p_project_id is null
    or num_nonnulls(p_message_id, p_domain, p_ip, p_sender, p_recipient, p_older_than) > 0 then
    v_filter := postel.operation_filter(p_message_id, null, p_domain, p_ip, p_sender, p_recipient, p_older_than);
  end if;
  if p_project_id is not null then
    v_filter := v_filter || jsonb_build_object('project_id', p_project_id);
  end if;
  if p_organization_id is not null then
    v_filter := v_filter || jsonb_build_object('project_ids', array(
      select p.id from postel.projects p where p.organization_id = p_organization_id order by p.id
    ));
  end if;

  select c.* into v_found from postel.count_matching(p_verb, v_filter) as c;
  insert into postel.operations (
    verb, filter, reason, requested_by, created_at, queue_max, waiting_max, matched, organization_id, project_id, finished_at
  )
  values (
    p_verb, v_filter,
    case p_verb
      when 'bounce' then coalesce(nullif(btrim(p_reason), ''), 'refused by the operator of this server')
      when 'hold' then postel.signed_reason(p_reason)
      when 'cancel' then postel.signed_reason(p_reason)
    end,
    postel.requester(), clock_timestamp(), 0, 0, v_found.recipients, p_organization_id, p_project_id,
    case when v_found.rows = 0 then clock_timestamp() end
  )
  returning id into v_id;
  if v_found.rows > 0 then
    perform postel.begin_operation(v_id, v_found.rows);
  end if;
  perform set_config('synchronous_commit', v_synchronous_commit, true);
  return v_id;
end
$$;
comment on function postel.steer(text, uuid, uuid, uuid, text, inet, text, text, interval, text) is
  'Holds, releases, cancels, bounces or retries mail of a tenant by filter; for the API. Returns the id of the operation.';
