-- quota_check: holds an organization's month against what is on record as accepted (a quota may have been off for a while),
-- and warns once at 80 and once at 100 per cent: an event `quota.warning` and a notice. Returns the per cent it warned of, or
-- null. The worker calls it each minute for those of quota_due.
create or replace function postel.quota_check(p_organization uuid, p_now timestamptz default clock_timestamp())
returns integer
language plpgsql
as $$
declare
  v_month record;
  v_name text;
  v_used bigint;
  v_recorded bigint;
  v_outstanding bigint;
  v_percent integer;
begin
  select m.* into v_month from postel.quota_month(p_organization, p_now) as m;
  if v_month.quota is null then
    return null;
  end if;
  -- one statement, so that mail is seen with its use or not at all
  select
    postel.usage_of(p_organization, v_month.month),
    (select coalesce(sum(u.recipients), 0) from postel.quota_uses u where u.organization_id = p_organization)
  into v_recorded, v_outstanding;
  v_used := greatest(v_month.used, v_recorded - v_outstanding);
  if v_used > v_month.used then
    update postel.quota_months m set used = v_used
    where m.organization_id = p_organization and m.month = v_month.month;
  end if;

  v_used := v_used + v_outstanding;
  v_percent := case when v_used >= v_month.quota then 100 when v_used * 5 >= v_month.quota * 4 then 80 else 0 end;
  update postel.quota_months m set warned_percent = v_percent
  where m.organization_id = p_organization and m.month = v_month.month and m.warned_percent < v_percent;
  if not found then
    -- A larger quota is warned of anew
    update postel.quota_months m set warned_percent = v_percent
    where m.organization_id = p_organization and m.month = v_month.month and m.warned_percent > v_percent;
    return null;
  end if;

  insert into postel.events (organization_id, type, data)
  values (p_organization, 'quota.warning', jsonb_build_object(
    'percent', v_percent, 'used', v_used, 'quota', v_month.quota, 'month', to_char(v_month.month, 'YYYY-MM')
  ));
  select o.name into v_name from postel.organizations o where o.id = p_organization;
  perform postel.send_notice(
    p_organization,
    format('%s: %s%% of the monthly quota is used', v_name, v_percent),
    format(
      E'%s of %s recipients of %s are used.\n\n%s It begins anew on %s UTC.\n',
      v_used, v_month.quota, to_char(v_month.month, 'YYYY-MM'),
      case v_percent when 100 then 'No more mail is accepted this month.' else 'Mail beyond the quota is refused.' end,
      to_char(v_month.month + interval '1 month', 'YYYY-MM-DD HH24:MI')
    )
  );
  return v_percent;
end
$$;
comment on function postel.quota_check(uuid, timestamptz) is
  'Warns an organization that has used 80 or 100 per cent of its month.';
