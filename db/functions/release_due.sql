-- release_due: moves what has become due from waiting to queue, at most p_limit rows, oldest first, each with a new id; see
-- enqueue_waiting for the source IP that it gets. Call it until `moved` is less than p_limit. `ip_ids` are the IPs that
-- have new work.
create or replace function postel.release_due(
  p_limit integer default 5000,
  p_now timestamptz default clock_timestamp(),
  out moved integer,
  out ip_ids integer[]
)
language plpgsql
as $$
begin
  select e.moved, e.ip_ids into moved, ip_ids
  from postel.enqueue_waiting(
    array(
      select w.id
      from postel.waiting w
      where w.state <> 'held' and w.not_before <= p_now
      order by w.not_before, w.id
      limit p_limit
      for update skip locked
    ),
    p_now
  ) as e;
end
$$;
comment on function postel.release_due(integer, timestamptz) is
  'Moves due rows from waiting to queue; the worker calls it for each time bucket and each minute.';
