-- retry: tries a message's deferred recipients now instead of later. Held and scheduled mail stays where it is (release it
-- first). Returns how many recipients. For more than one message see retry_domain and retry_mail.
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
