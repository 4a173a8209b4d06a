-- quota_month: locks an organization's quota month until the transaction ends, makes it where there is none, and counts what
-- lapsed blocks have used. `quota` is null where the organization has none, and then nothing is locked. `used` and
-- `available` are as of now: what no process has used or reserved.
--
-- A new month row begins with what is on record as accepted: the quota may have been set in the middle of the month.
-- A block lapses 25 s after its end: nothing that was begun under it can still commit then (Submitter's statements are
-- cancelled after 20 s). Blocks last 30 s, so what a dead process had reserved returns within 55 s.
create or replace function postel.quota_month(
  p_organization uuid,
  p_now timestamptz default clock_timestamp(),
  out quota bigint,
  out month date,
  out used bigint,
  out available bigint
)
language plpgsql
as $$
declare
  v_spent bigint;
begin
  select coalesce(o.monthly_recipients, p.monthly_recipients), date_trunc('month', p_now at time zone 'utc')::date
  into quota, month
  from postel.organizations o
  left join postel.plans p on p.id = o.plan_id
  where o.id = p_organization;
  if quota is null then
    return;
  end if;

  select m.used into used
  from postel.quota_months m
  where m.organization_id = p_organization and m.month = quota_month.month
  for update;
  if used is null then
    insert into postel.quota_months as m (organization_id, month, used)
    values (p_organization, quota_month.month, postel.usage_of(p_organization, quota_month.month))
    on conflict on constraint quota_months_pkey do update set used = m.used
    returning m.used into used;
  end if;

  with lapsed as (
    delete from postel.quota_blocks b
    where b.organization_id = p_organization and b.month = quota_month.month and b.expires_at <= p_now - interval '25 s'
    returning b.id
  ),
  counted as (
    delete from postel.quota_uses u
    using lapsed l
    where u.block_id = l.id
    returning u.recipients
  )
  select sum(c.recipients) into v_spent from counted c;
  if v_spent > 0 then
    update postel.quota_months m set used = m.used + v_spent
    where m.organization_id = p_organization and m.month = quota_month.month
    returning m.used into used;
  end if;

  available := quota - used - (
    select coalesce(sum(b.recipients), 0)
    from postel.quota_blocks b
    where b.organization_id = p_organization and b.month = quota_month.month
  );
end
$$;
comment on function postel.quota_month(uuid, timestamptz) is
  'Locks an organization''s quota month and tells what of it is used and available.';
