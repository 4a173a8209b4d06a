-- sweep: what the worker looks for each minute because a hint may have been lost: the IPs that have mail in the queue.
-- A loose index scan: its cost is the number of IPs, not of messages.
create or replace function postel.sweep() returns integer[]
language sql stable
as $$
  with recursive ips as (
    (select q.ip_id from postel.queue q order by q.ip_id limit 1)
    union all
    select (select q.ip_id from postel.queue q where q.ip_id > i.ip_id order by q.ip_id limit 1)
    from ips i
    where i.ip_id is not null
  )
  select array_agg(i.ip_id) from ips i where i.ip_id is not null
$$;
comment on function postel.sweep() is 'The ids of the source IPs that have mail in the queue.';
