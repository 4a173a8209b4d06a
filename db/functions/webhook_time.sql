-- webhook_time: a moment as the bodies of webhooks write it: 2026-11-21T20:13:42.674Z.
create or replace function postel.webhook_time(p_at timestamptz) returns text
language sql immutable parallel safe
as $$
  select to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;
comment on function postel.webhook_time(timestamptz) is 'A moment as the bodies of webhooks write it.';
