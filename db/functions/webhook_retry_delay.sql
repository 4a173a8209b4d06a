-- webhook_retry_delay: how long after the given failed attempt (1: the first) a webhook is tried again; null: no more.
create or replace function postel.webhook_retry_delay(p_attempt integer) returns interval
language sql immutable parallel safe
as $$
  select make_interval(secs => (array[5, 300, 1800, 7200, 18000, 36000, 36000])[p_attempt])
$$;
comment on function postel.webhook_retry_delay(integer) is
  'How long after a failed attempt a webhook is tried again; null: no more.';
