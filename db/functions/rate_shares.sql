-- rate_shares: a process says that it accepts mail of these projects and keys, whose rate is limited. Returns how many
-- processes do so now: each allows that part of the rate.
create or replace function postel.rate_shares(
  p_process text,
  p_owners uuid[],
  p_now timestamptz default clock_timestamp()
)
returns table (owner_id uuid, processes integer)
language plpgsql
as $$
#variable_conflict use_column
begin
  perform set_config('synchronous_commit', 'off', true);
  insert into postel.rate_shares as r (owner_id, process, used_at)
  select t.owner_id, p_process, p_now
  from (select distinct unnest(p_owners) as owner_id order by 1) as t
  on conflict on constraint rate_shares_pkey do update set used_at = excluded.used_at;
  return query
  select t.owner_id, count(r.process)::integer
  from unnest(p_owners) as t (owner_id)
  left join postel.rate_shares r
    on r.owner_id = t.owner_id and (r.used_at > p_now - interval '12 s' or r.process = p_process)
  group by t.owner_id;
end
$$;
comment on function postel.rate_shares(text, uuid[], timestamptz) is
  'How many processes accept mail of these projects and keys now; the apps call it.';
