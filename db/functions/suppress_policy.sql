-- suppress_policy: which bounces say that the recipient cannot be reached, by the category of the last try, and for how
-- long its address is suppressed then (null: for good). Only what counts against the recipient is here: never what counts
-- against the source, the sender, the message or the remote, and nothing that passes by itself, as a full mailbox does.
create or replace function postel.suppress_policy() returns table (category text, lasts interval)
language sql immutable parallel safe
as $$
  values
    ('invalid_recipient', null::interval),
    -- Closed accounts are opened again, and given to somebody new
    ('mailbox_disabled', interval '90 days')
$$;
comment on function postel.suppress_policy() is
  'Which bounces suppress an address, by category, and for how long (null: for good).';
