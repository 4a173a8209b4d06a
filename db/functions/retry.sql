-- retry: tries deferred mail now instead of later: a message's, or what the filters mean. Held and scheduled mail stays where
-- it is (release it first). Returns how many recipients.
create or replace function postel.retry(message_id uuid) returns integer
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
begin
  return postel.start_operation(
    'retry', postel.operation_filter(message_id, null, null, null, null, null, null), null);
end
$$;
comment on function postel.retry(uuid) is 'Tries a deferred message now: select postel.retry(''<message id>'').';

create or replace function postel.retry(
  message_id uuid default null,
  project text default null,
  domain text default null,
  ip inet default null,
  sender text default null,
  recipient text default null,
  older_than interval default null
)
returns bigint
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
begin
  return postel.start_operation(
    'retry', postel.operation_filter(message_id, project, domain, ip, sender, recipient, older_than), null);
end
$$;
comment on function postel.retry(uuid, text, text, inet, text, text, interval) is
  'Tries deferred mail now, by filter as postel.hold: select postel.retry(project => ''shop''). Returns how many recipients.';
