-- quota_due: the organizations with a quota that have sent anything this month; and tidies up: uses whose block is gone (a
-- commit that hung longer than anything should) are counted still, months and rate shares of the past are forgotten.
create or replace function postel.quota_due(p_now timestamptz default clock_timestamp()) returns setof uuid
language plpgsql
as $$
begin
  with strays as (
    delete from postel.quota_uses u
    where u.at < p_now - interval '2 minutes' and not exists (select from postel.quota_blocks b where b.id = u.block_id)
    returning u.organization_id, u.recipients, date_trunc('month', u.at at time zone 'utc')::date as month
  )
  update postel.quota_months m set used = m.used + s.recipients
  from (
    select t.organization_id, t.month, sum(t.recipients) as recipients from strays t group by 1, 2
  ) as s
  where m.organization_id = s.organization_id and m.month = s.month;
  delete from postel.quota_blocks b where b.expires_at < p_now - interval '1 hour' and b.month < (p_now at time zone 'utc')::date - 31;
  delete from postel.quota_months m where m.month < (p_now at time zone 'utc')::date - 400;
  delete from postel.rate_shares r where r.used_at < p_now - interval '1 hour';

  return query
  select m.organization_id
  from postel.quota_months m
  join postel.organizations o on o.id = m.organization_id
  left join postel.plans p on p.id = o.plan_id
  where m.month = date_trunc('month', p_now at time zone 'utc')::date
    and coalesce(o.monthly_recipients, p.monthly_recipients) is not null
  order by m.organization_id;
end
$$;
comment on function postel.quota_due(timestamptz) is 'The organizations whose quota is to be looked at; the worker calls it.';
