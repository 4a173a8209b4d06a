-- ip_trouble: why mail does not leave from this source IP, or gets no new mail; null when nothing is wrong with it.
create or replace function postel.ip_trouble(p_ip_id integer, p_now timestamptz default now()) returns text
language sql stable
as $$
  select case
    when a.state not in ('active', 'warming') then 'is ' || a.state || coalesce(': ' || a.state_reason, '')
    when a.moving_to is not null then 'is moving to node ' || a.moving_to
    when h.ip_id is null then 'is held by no outbound process'
    when h.expires_at < p_now then 'is held by a process that has stopped renewing'
  end
  from postel.ip_addresses a
  left join postel.ip_holders h on h.ip_id = a.id
  where a.id = p_ip_id
$$;
comment on function postel.ip_trouble(integer, timestamptz) is 'What is wrong with a source IP, in words; null: nothing.';
