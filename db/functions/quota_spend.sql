-- quota_spend: counts recipients of mail that is submitted from psql against the organization's month, at once. Raises when
-- it has no room for all of them. Does nothing for an organization without a quota.
create or replace function postel.quota_spend(
  p_organization uuid,
  p_recipients integer,
  p_now timestamptz default clock_timestamp()
)
returns void
language plpgsql
as $$
declare
  v_month record;
begin
  select m.* into v_month from postel.quota_month(p_organization, p_now) as m;
  if v_month.quota is null then
    return;
  end if;
  if v_month.available < p_recipients then
    raise exception 'the quota of % recipients a month is used up until % UTC', v_month.quota,
      to_char(v_month.month + interval '1 month', 'YYYY-MM-DD HH24:MI')
      using errcode = 'configuration_limit_exceeded',
        hint = 'See postel.quota_months, and monthly_recipients of postel.organizations and postel.plans.';
  end if;
  update postel.quota_months m set used = m.used + p_recipients
  where m.organization_id = p_organization and m.month = v_month.month;
end
$$;
comment on function postel.quota_spend(uuid, integer, timestamptz) is
  'Counts recipients against an organization''s month, or raises when it has no room for them.';
