-- release: held mail goes on from where it was: what was scheduled for later is scheduled again, the rest is due at once, with
-- the time that it was held added to its expiry. Filters as of hold. Returns how many recipients.
create or replace function postel.release(
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
    'release', postel.operation_filter(message_id, project, domain, ip, sender, recipient, older_than), null);
end
$$;
comment on function postel.release(uuid, text, text, inet, text, text, interval) is
  'Releases held mail: select postel.release(''<message id>''), or by filter as postel.hold. Returns how many recipients.';
