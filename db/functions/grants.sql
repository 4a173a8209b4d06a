-- Who may do what. postel_app: the apps. postel_operator: people, through views and functions. postel_readonly: views.
grant usage on schema postel to postel_app, postel_operator, postel_readonly;
grant select, insert, update, delete on all tables in schema postel to postel_app;
grant usage, select on all sequences in schema postel to postel_app;
grant execute on all functions in schema postel to postel_app;
grant select on postel.queue_now, postel.queue_by_ip, postel.recent_failures to postel_operator, postel_readonly;
revoke execute on all functions in schema postel from public;
grant execute on all functions in schema postel to postel_app;
-- A view calls functions as the person who reads it.
grant execute on function postel.uuid_v7_floor to postel_operator, postel_readonly;
grant execute on function
  postel.send(text, text[], text, text, text, text, text, timestamptz),
  postel.send_with(text, text[], text, text, jsonb),
  postel.submit_raw(text, text[], bytea, text),
  postel.submit_raw_with(text, text[], bytea, jsonb),
  postel.explain(uuid),
  postel.retry(uuid)
  to postel_operator;
grant execute on function postel.explain(uuid) to postel_readonly;

-- graphile-worker: the apps add jobs and run them
grant usage on schema graphile_worker to postel_app;
grant select, insert, update, delete on all tables in schema graphile_worker to postel_app;
grant usage, select on all sequences in schema graphile_worker to postel_app;
grant execute on all functions in schema graphile_worker to postel_app;
