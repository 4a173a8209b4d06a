-- cancel: mail that is queued, deferred, scheduled or held is not sent any more, and nobody is told by mail. What is being
-- sent at this moment is left out (hold it first, or cancel again); should the remote have taken a message in the instant
-- that it was cancelled, it becomes delivered after all, because that is true. Filters as of hold. Returns how many recipients.
create or replace function postel.cancel(
  message_id uuid default null,
  project text default null,
  domain text default null,
  ip inet default null,
  sender text default null,
  recipient text default null,
  older_than interval default null,
  reason text default null
)
returns bigint
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
begin
  return postel.start_operation(
    'cancel', postel.operation_filter(message_id, project, domain, ip, sender, recipient, older_than),
    postel.signed_reason(reason));
end
$$;
comment on function postel.cancel(uuid, text, text, inet, text, text, interval, text) is
  'Cancels mail for good: select postel.cancel(''<message id>''), or by filter as postel.hold. Returns how many recipients.';
