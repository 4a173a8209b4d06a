-- signed_reason: a person's reason with who gave it and when, as it is shown to whoever asks later.
create or replace function postel.signed_reason(p_reason text) returns text
language sql stable
as $$
  select format(
    '%s (by %s, %s UTC)', coalesce(nullif(btrim(p_reason), ''), 'no reason given'), postel.requester(),
    to_char(now() at time zone 'utc', 'YYYY-MM-DD HH24:MI')
  )
$$;
comment on function postel.signed_reason(text) is 'A reason with who gave it and when.';
