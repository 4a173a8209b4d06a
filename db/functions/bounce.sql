-- bounce: mail that is queued, deferred, scheduled or held fails for good, with the reason as its last reply: its sender is
-- told as of any bounce. What is being sent at this moment is left out (hold it first, or bounce again). Filters as of
-- hold. Returns how many recipients.
create or replace function postel.bounce(
  message_id uuid default null,
  project text default null,
  domain text default null,
  ip inet default null,
  sender text default null,
  recipient text default null,
  older_than interval default null,
  reason text default 'refused by the operator of this server'
)
returns bigint
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
begin
  return postel.start_operation(
    'bounce', postel.operation_filter(message_id, project, domain, ip, sender, recipient, older_than),
    coalesce(nullif(btrim(reason), ''), 'refused by the operator of this server'));
end
$$;
comment on function postel.bounce(uuid, text, text, inet, text, text, interval, text) is
  'Bounces mail: select postel.bounce(''<message id>'', reason => ''…''), or by filter as postel.hold. Returns how many recipients.';
