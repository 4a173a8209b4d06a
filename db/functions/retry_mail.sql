-- retry_mail: tries the deferred mail now that the filters mean together; see hold for the filters. Held and scheduled mail
-- stays where it is. Returns how many recipients.
create or replace function postel.retry_mail(
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
    'retry', postel.operation_filter(null, project, domain, ip, sender, recipient, older_than), null);
end
$$;
comment on function postel.retry_mail(text, text, inet, text, text, interval) is
  'Tries deferred mail now, by filter as postel.hold: select postel.retry_mail(project => ''shop''). Returns how many recipients.';
