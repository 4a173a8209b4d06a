-- Who may do what. postel_app: the apps. postel_operator: people who steer, through views and functions. postel_readonly:
-- people who look.
grant usage on schema postel to postel_app, postel_operator, postel_readonly;
grant select, insert, update, delete on all tables in schema postel to postel_app;
grant usage, select on all sequences in schema postel to postel_app;
revoke execute on all routines in schema postel from public, postel_operator, postel_readonly;
grant execute on all routines in schema postel to postel_app;

grant select on
  postel.queue_now, postel.queue_by_domain, postel.queue_by_ip, postel.recent_failures, postel.throughput, postel.nodes_now,
  postel.ips_now, postel.listeners_now, postel.operations_now, postel.suspensions_now
  to postel_operator, postel_readonly;
-- A view calls functions as the person who reads it.
grant execute on function
  postel.uuid_v7_floor(timestamptz), postel.in_flight(timestamptz), postel.site_trouble(integer, text, timestamptz),
  postel.suspension_of(text, uuid, timestamptz), postel.listeners(),
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
  postel.suspend(text, text, timestamptz), postel.resume(text),
  postel.pause_project(text, text), postel.resume_project(text), postel.moderate(text, text, text),
  postel.stop_operation(bigint), postel.claim_chunk(integer, bigint),
  postel.run_chunk(bigint, text, bigint, bigint, integer, timestamptz), postel.next_window(bigint, bigint),
  postel.announce_released(integer[], timestamptz[])
  to postel_operator;
grant execute on procedure postel.run_operations() to postel_operator;

-- graphile-worker: the apps add jobs and run them
grant usage on schema graphile_worker to postel_app;
grant select, insert, update, delete on all tables in schema graphile_worker to postel_app;
grant usage, select on all sequences in schema graphile_worker to postel_app;
grant execute on all functions in schema graphile_worker to postel_app;
