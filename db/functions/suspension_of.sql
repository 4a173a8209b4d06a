-- suspension_of: what a person has suspended that keeps mail of this project to this domain from being sent, in words; null
-- when nothing does.
create or replace function postel.suspension_of(p_domain text, p_project_id uuid, p_now timestamptz default now())
returns text
language sql stable
-- Views call it as the person who reads them, who has no rights on the tables
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
  select
    case
      when s.domain is not null then 'mail to ' || s.domain || ' is suspended'
      when s.project_id is not null then 'project ' || p.name || ' is paused'
      else 'all mail is being held'
    end
    || coalesce(' until ' || to_char(s.until at time zone 'utc', 'YYYY-MM-DD HH24:MI') || ' UTC', '')
    || ' by ' || s.requested_by || ': ' || s.reason
  from (
    select s.id, s.domain, s.project_id, s.until, s.requested_by, s.reason from postel.suspensions s
    union all
    -- hold_all, until it is through
    select 0, null, null, null, o.requested_by, o.reason
    from postel.operations o
    where o.finished_at is null and o.verb = 'hold' and o.filter ? 'all'
  ) as s
  left join postel.projects p on p.id = s.project_id
  where (s.until is null or s.until > p_now)
    and (
      s.domain = p_domain
      or (s.domain like '*.%' and right(p_domain, length(s.domain) - 1) = substr(s.domain, 2))
      or s.project_id = p_project_id
      or num_nonnulls(s.domain, s.project_id) = 0
    )
  order by s.until desc nulls first, s.id
  limit 1
$$;
comment on function postel.suspension_of(text, uuid, timestamptz) is
  'What keeps mail of a project to a domain from being sent, when a person has suspended it.';
