-- notify_outbound: tells the outbound processes that these source IPs have new work, in payloads that Postgres takes. A
-- commit that notifies holds a lock of the whole cluster: for people, never in a transaction of mail under load.
create or replace function postel.notify_outbound(p_ip_ids integer[]) returns void
language sql
as $$
  select pg_notify('postel_outbound', string_agg(i.id::text, ',' order by i.id))
  from unnest(p_ip_ids) with ordinality as i (id, position)
  group by (i.position - 1) / 700
$$;
comment on function postel.notify_outbound(integer[]) is 'Hints the outbound processes at source IPs that have work.';
