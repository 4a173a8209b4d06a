-- fail_dead_holder: what the last holder of a source IP had in flight, when its hold has run out and it has been silent for a
-- minute, counts as tried, as when another takes the IP over (take_over): before the rest of its queue is moved away,
-- because then nobody will take it over. Returns how many rows.
create or replace function postel.fail_dead_holder(p_ip_id integer, p_now timestamptz default clock_timestamp())
returns integer
language sql
as $$
  select coalesce(sum(postel.take_over(array[h.ip_id], p.id, p_now)), 0)::integer
  from postel.ip_holders h
  join postel.outbound_processes p on p.id = h.process_id
  where h.ip_id = p_ip_id and h.expires_at <= p_now and p.heartbeat_at <= p_now - interval '60 s'
$$;
comment on function postel.fail_dead_holder(integer, timestamptz) is
  'What a dead holder of a source IP had in flight counts as tried; before its queue is moved.';
