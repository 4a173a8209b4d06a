-- site_trouble: what outbound has learned of a site from one of our source IPs, in words, with the beginning of what the
-- remote said; null when all is well there.
create or replace function postel.site_trouble(p_ip_id integer, p_site text, p_now timestamptz default now()) returns text
language sql stable
-- Views call it as the person who reads them, who has no rights on the tables
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
  select case
      when s.state = 'suspended' and s.until > p_now then format(
        '%s is suspended at %s until %s UTC after %s refusals', host(a.address), s.site,
        to_char(s.until at time zone 'utc', 'HH24:MI:SS'), s.refusals)
      when s.state = 'backing_off' and s.until > p_now then format(
        'cannot connect to %s, next try in %s', s.site, date_trunc('second', s.until - p_now))
      when s.factor < 1 then format(
        '%s has asked us to slow down: at %s%% of its limits from %s, %s connections%s', s.site, round(s.factor * 100),
        host(a.address), s.connections_max, coalesce(' and ' || s.messages_per_minute || ' messages a minute', ''))
    end || coalesce(': ' || case when length(s.reason) > 90 then left(s.reason, 89) || '…' else s.reason end, '')
  from postel.ip_sites s
  join postel.ip_addresses a on a.id = s.ip_id
  where s.ip_id = p_ip_id and s.site = p_site
$$;
comment on function postel.site_trouble(integer, text, timestamptz) is
  'Why mail to a site does not leave from a source IP, or leaves slowly; null: all is well.';
