-- hold: mail that is not final yet is not sent until it is released: one message, or what all the given filters mean
-- together. Mail that is being sent at this moment is held too, but its result still counts. It does not expire while it is
-- held. What a filter is: project by name or id; domain of the recipient, `*.example.com` for all below; ip, one of ours;
-- sender, of the envelope, `*@example.com` for all of a domain; recipient, one address (of a message to several only that
-- one); older_than, since submission. Returns how many recipients; more than 10,000 rows go on in the background.
create or replace function postel.hold(
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
    'hold', postel.operation_filter(message_id, project, domain, ip, sender, recipient, older_than),
    postel.signed_reason(reason));
end
$$;
comment on function postel.hold(uuid, text, text, inet, text, text, interval, text) is
  'Holds mail: select postel.hold(''<message id>''), or postel.hold(project => ''shop'', domain => ''example.com'', reason => ''…''). Filters: project, domain, ip, sender, recipient, older_than. Returns how many recipients.';
