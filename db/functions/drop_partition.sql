-- drop_partition: drops a partition of an ended day that holds no live mail, for whoever does not own the tables (a detach
-- without a lock on the whole table is the owner's alone). That lock is held for a moment, and waited for so briefly that
-- mail behind it does not notice: what cannot have it raises 55P03 and changes nothing.
create or replace function postel.drop_partition(p_parent text, p_partition text)
returns void
language plpgsql
security definer
set search_path = pg_catalog, postel, pg_temp
set lock_timeout = '200ms'
as $$
begin
  if not exists (
    select from postel.expired_partitions(0) e where e.parent = p_parent and e.partition = p_partition
  ) then
    raise exception 'postel.% is no partition of % that may go', p_partition, p_parent using errcode = '22023';
  end if;
  execute format('drop table postel.%I', p_partition);
end
$$;
comment on function postel.drop_partition(text, text) is
  'Drops a partition of an ended day without live mail. The worker calls it where its role does not own the tables.';
