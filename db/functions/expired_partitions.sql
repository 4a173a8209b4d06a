-- expired_partitions: the partitions that ended p_retention_days ago or earlier and hold nothing that is still to be
-- sent. A day with live mail (scheduled, held, still retrying) is kept whole until that mail is done. Oldest first.
create or replace function postel.expired_partitions(p_retention_days integer, p_now timestamptz default now())
returns table (parent text, partition text)
language sql stable
as $$
  with partitions as (
    select p.relname::text as parent, c.relname::text as partition, to_date(right(c.relname, 8), 'YYYYMMDD') as day
    from pg_inherits i
    join pg_class p on p.oid = i.inhparent
    join pg_class c on c.oid = i.inhrelid
    join pg_namespace n on n.oid = p.relnamespace
    where n.nspname = 'postel' and p.relkind = 'p' and c.relkind = 'r'
  )
  select p.parent, p.partition
  from partitions p
  cross join lateral (
    select
      postel.uuid_v7_floor(p.day::timestamp at time zone 'utc') as first,
      postel.uuid_v7_floor((p.day + 1)::timestamp at time zone 'utc') as next
  ) as ids
  where p.day + 1 + p_retention_days <= (p_now at time zone 'utc')::date
    and not exists (select from postel.queue q where q.message_id >= ids.first and q.message_id < ids.next)
    and not exists (select from postel.waiting w where w.message_id >= ids.first and w.message_id < ids.next)
  order by p.day, p.parent
$$;
comment on function postel.expired_partitions(integer, timestamptz) is
  'Partitions past their retention that hold no live mail; the worker detaches and drops them.';
