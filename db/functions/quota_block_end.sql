-- quota_block_end: until when a block that is made or renewed now lasts: 30 s, and no longer than its month.
create or replace function postel.quota_block_end(p_month date, p_now timestamptz) returns timestamptz
language sql stable
as $$
  select least(p_now + interval '30 s', (p_month + interval '1 month') at time zone 'utc')
$$;
comment on function postel.quota_block_end(date, timestamptz) is 'Until when a block of quota lasts.';
