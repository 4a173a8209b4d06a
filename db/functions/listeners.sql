-- listeners: the connections of our processes that LISTEN, which only their own role may see in pg_stat_activity.
create or replace function postel.listeners()
returns table (application_name text, client_addr inet, connected_at timestamptz, last_heard_at timestamptz, pid integer)
language sql stable
-- An operator sees only own sessions; this shows those of the role that the processes use
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
  select s.application_name, s.client_addr, s.backend_start, s.state_change, s.pid
  from pg_stat_activity s
  where s.datname = current_database() and s.application_name like 'postel-%-listen'
$$;
comment on function postel.listeners() is 'The connections that LISTEN; the view listeners_now shows them.';
