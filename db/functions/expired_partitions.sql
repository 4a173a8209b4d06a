-- expired_partitions: the partitions that ended p_retention_days ago or earlier and hold nothing that is still to be
-- sent. A day with live mail (scheduled, held, still retrying) is kept whole until that mail is done. Oldest first.
create or replace function postel.expired_partitions(p_retention_days integer, p_now timestamptz default now())
returns table (parent text, partition text)
language sql stable
as $$
  with live as (
    select least(
      (select q.message_id from postel.queue q order by q.message_id limit 1),
      (select w.message_id from postel.waiting w order by w.message_id limit 1)
    ) as oldest
  ),
  partitions as (
    select p.relname::text as parent, c.relname::text as partition, to_date(right(c.relname, 8), 'YYYYMMDD') as day
    from pg_inherits i
    join pg_class p on p.oid = i.inhparent
    join pg_class c on c.oid = i.inhrelid
    join pg_namespace n on n.oid = p.relnamespace
    where n.nspname = 'postel' and p.relkind = 'p' and c.relkind = 'r'
  )
  select partitions.parent, partitions.partition
  from partitions
  cross join live
  where partitions.day + 1 + p_retention_days <= (p_now at time zone 'utc')::date
    and (
      live.oldest is null
      or live.oldest >= postel.uuid_v7_floor((partitions.day + 1)::timestamp at time zone 'utc')
    )
  order by partitions.day, partitions.parent
$$;
comment on function postel.expired_partitions(integer, timestamptz) is
  'Partitions past their retention that hold no live mail; the worker detaches and drops them.';
