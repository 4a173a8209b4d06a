-- Who may do what. postel_app: the apps. postel_operator: people who steer, through views and functions. postel_readonly:
-- people who look. postel_backup: the program that takes backups. postel_agent: the interface
-- agents of nodes.
-- The roles are of the cluster, and not in a backup of the database: where it was restored into another cluster they are missing.
-- Whoever migrates may not make roles, and postel_backup and postel_agent came later than the others: there the owner takes
-- the backups, and the agents are of postel_app.
do $$
declare
  v_role text;
begin
  foreach v_role in array array['postel_app', 'postel_operator', 'postel_readonly', 'postel_backup', 'postel_agent'] loop
    if not exists (select from pg_roles where rolname = v_role) then
      begin
        execute format('create role %I nologin', v_role);
      exception
        when duplicate_object or unique_violation then null; -- another database of this cluster made it at the same time
        when insufficient_privilege then
          if v_role not in ('postel_backup', 'postel_agent') then
            raise;
          end if;
      end;
    end if;
  end loop;
end
$$;

grant usage on schema postel to postel_app, postel_operator, postel_readonly;
grant select, insert, update, delete on all tables in schema postel to postel_app;
grant usage, select on all sequences in schema postel to postel_app;
-- what the schema is, only its owner says
revoke insert, update, delete on postel.migrations, postel.schema_versions from postel_app;
revoke execute on all routines in schema postel from public, postel_operator, postel_readonly;
grant execute on all routines in schema postel to postel_app;

grant select on
  postel.queue_now, postel.queue_by_domain, postel.queue_by_ip, postel.recent_failures, postel.throughput, postel.nodes_now,
  postel.ips_now, postel.ip_moves_now, postel.listeners_now, postel.operations_now, postel.suspensions_now
  to postel_operator, postel_readonly;
-- A view calls functions as the person who reads it.
grant execute on function
  postel.uuid_v7_floor(timestamptz), postel.in_flight(timestamptz), postel.site_trouble(integer, text, timestamptz),
  postel.suspension_of(text, uuid, timestamptz), postel.listeners(),
  postel.ips_on_node(text, timestamptz),
  postel.explain(uuid), postel.sent_to(text, timestamptz)
  to postel_operator, postel_readonly;
grant execute on function
  postel.send(text, text[], text, text, text, text, text, timestamptz),
  postel.send_with(text, text[], text, text, jsonb),
  postel.submit_raw(text, text[], bytea, text),
  postel.submit_raw_with(text, text[], bytea, jsonb),
  postel.hold(uuid, text, text, inet, text, text, interval, text),
  postel.release(uuid, text, text, inet, text, text, interval),
  postel.cancel(uuid, text, text, inet, text, text, interval, text),
  postel.bounce(uuid, text, text, inet, text, text, interval, text),
  postel.retry(uuid),
  postel.retry_mail(text, text, inet, text, text, interval),
  postel.retry_domain(text),
  postel.pause_ip(inet, text), postel.resume_ip(inet), postel.drain_ip(inet, text), postel.move_queue(inet, inet),
  postel.pin_ip(inet, text), postel.unpin_ip(inet), postel.drain_node(text, text), postel.resume_node(text),
  postel.suspend(text, text, timestamptz), postel.resume(text),
  postel.pause_project(text, text), postel.resume_project(text), postel.hold_all(text), postel.release_all(boolean, boolean),
  postel.moderate(text, text, text),
  postel.stop_operation(bigint), postel.claim_chunk(integer, bigint),
  postel.run_chunk(bigint, text, bigint, bigint, integer, timestamptz), postel.next_window(bigint, bigint),
  postel.announce_released(integer[], timestamptz[])
  to postel_operator;
grant execute on procedure postel.run_operations() to postel_operator;

-- postel_backup: reads all tables, partitions that are still to come as well, and writes down what became of the backup
do $$
begin
  if exists (select from pg_roles where rolname = 'postel_backup') then
    grant usage on schema postel to postel_backup;
    grant select on all tables in schema postel to postel_backup;
    grant select on all sequences in schema postel to postel_backup;
    alter default privileges in schema postel grant select on tables to postel_backup;
    alter default privileges in schema postel grant select on sequences to postel_backup;
    grant insert, update on postel.backups to postel_backup;
  end if;
end
$$;

-- postel_agent: which source IPs belong on a node, and nothing of the mail
do $$
begin
  if exists (select from pg_roles where rolname = 'postel_agent') then
    grant usage on schema postel to postel_agent;
    grant select on postel.schema_versions, postel.ip_addresses, postel.ip_holders, postel.nodes to postel_agent;
    grant select (id, node_name) on postel.outbound_processes to postel_agent;
    grant update (agent_seen_at, agent_addresses) on postel.nodes to postel_agent;
    grant execute on function postel.report_addresses(text, inet[], timestamptz) to postel_agent;
  end if;
end
$$;

-- graphile-worker: the apps add jobs and run them
grant usage on schema graphile_worker to postel_app;
grant select, insert, update, delete on all tables in schema graphile_worker to postel_app;
grant usage, select on all sequences in schema graphile_worker to postel_app;
grant execute on all functions in schema graphile_worker to postel_app;
-- … whose row level security would show them none of its rows
do $$
declare
  v_table text;
begin
  for v_table in
    select c.relname
    from pg_class c
    where c.relnamespace = 'graphile_worker'::regnamespace and c.relrowsecurity
      and not exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'postel_app')
  loop
    execute format('create policy postel_app on graphile_worker.%I to postel_app using (true) with check (true)', v_table);
  end loop;
end
$$;
