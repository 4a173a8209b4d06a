-- usable_ips: the IPs of each project's pool that may take mail now, with cumulative weights for a weighted draw
-- (`ips[1 + width_bucket(random() * total, bounds)]`) and the reason to record. IPs that a living process holds come
-- first, unless they are about to move to another node; only when there is none does mail go to IPs that wait for a holder. No row:
-- the pool has no usable IP.
create or replace function postel.usable_ips(p_projects uuid[], p_now timestamptz default now())
returns table (project_id uuid, ips integer[], bounds double precision[], total double precision, reason text)
-- plpgsql, because it keeps its plan; a SQL function would plan anew at each call
language plpgsql stable
rows 1
as $$
#variable_conflict use_column
begin
  return query
  select
    c.project_id,
    array_agg(c.id order by c.id),
    array_agg(c.bound order by c.id),
    max(c.bound),
    format(
      case when bool_and(c.held) then 'drawn by weight from %s held IPs of pool %s'
      else 'drawn by weight from %s IPs of pool %s, none of them held by a node now' end,
      count(*), min(c.pool)
    )
  from (
    select
      u.*,
      sum(u.weight) over (partition by u.project_id order by u.id)::double precision as bound
    from (
      select
        p.id as project_id,
        a.id,
        a.weight,
        l.name as pool,
        h.ip_id is not null as held,
        bool_or(h.ip_id is not null) over (partition by p.id) as any_held
      from postel.projects p
      join postel.ip_pools l on l.id = p.pool_id
      join postel.ip_addresses a on a.pool_id = p.pool_id and a.state in ('active', 'warming') and a.weight > 0
      left join postel.ip_holders h on h.ip_id = a.id and h.expires_at > p_now and a.moving_to is null
      where p.id = any (p_projects)
    ) as u
    where u.held = u.any_held
  ) as c
  group by c.project_id;
end
$$;
comment on function postel.usable_ips(uuid[], timestamptz) is 'Which source IPs new mail of these projects may get.';
