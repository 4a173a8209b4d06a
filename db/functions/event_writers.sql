-- event_writers: who may still add events in the past. A row of events has the time of its insert in its id, but is seen
-- only after its transaction has committed, however much later. From its insert to its end that transaction holds a lock on
-- the table. So once none of `writers` is on this list any more, every event with an id below `at` that will ever be
-- there can be seen. Whoever reads events by cursor moves the cursor no further than that.
create or replace function postel.event_writers(out at uuid, out writers text[])
language plpgsql
as $$
begin
  -- The time first: a transaction that comes between the two is on the list, and need not be
  at := postel.uuid_v7_floor(clock_timestamp());
  writers := array(
    select distinct l.virtualtransaction
    from pg_locks l
    where l.locktype = 'relation' and l.mode = 'RowExclusiveLock' and l.granted
      and l.database = (select d.oid from pg_database d where d.datname = current_database())
      and l.relation = 'postel.events'::regclass
      and l.pid is distinct from pg_backend_pid()
  );
end
$$;
comment on function postel.event_writers() is
  'The transactions that hold events not yet committed, for those who read events by cursor.';
