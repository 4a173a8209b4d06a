-- alive_since: since when a node has been heard of without a break of 30 s, now that it is heard of again.
create or replace function postel.alive_since(p_since timestamptz, p_last_seen_at timestamptz, p_now timestamptz)
returns timestamptz
language sql immutable
as $$
  select case when p_last_seen_at < p_now - interval '30 s' then p_now else coalesce(p_since, p_last_seen_at) end
$$;
comment on function postel.alive_since(timestamptz, timestamptz, timestamptz) is
  'Since when a node has been heard of without a break; part of acquire_ips and renew_ips.';
