-- create_partitions: makes sure that each partitioned table has a partition for yesterday, today and the coming days.
-- Safe to call at any time from any number of processes; returns how many it made. A partition is made apart and
-- then attached, which takes a weaker lock on the parent than `partition of` would. The indexes by which a message is found
-- are made last: on a table that was empty when it was planned for, the planner takes the newest of those that would do, and
-- keeps to that plan while a new day fills the table, until it has been analyzed. It runs with the rights of the tables'
-- owner, whoever calls it: the apps' role owns nothing.
create or replace function postel.create_partitions(p_days_ahead integer default 14, p_now timestamptz default now())
returns integer
language plpgsql
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
declare
  v_table text;
  v_day date;
  v_name text;
  v_index record;
  v_made integer := 0;
begin
  perform pg_advisory_xact_lock(hashtext('postel.create_partitions'));
  foreach v_table in array array['messages', 'message_bodies', 'message_tags', 'deliveries', 'attempts', 'events'] loop
    for v_day in
      select d::date
      from generate_series(
        (p_now at time zone 'utc')::date - 1,
        (p_now at time zone 'utc')::date + p_days_ahead,
        interval '1 day'
      ) as d
      order by d
    loop
      v_name := v_table || '_' || to_char(v_day, 'YYYYMMDD');
      continue when to_regclass('postel.' || v_name) is not null;
      execute format('create table postel.%I (like postel.%I including all excluding indexes)', v_name, v_table);
      for v_index in
        select pg_get_constraintdef(c.oid) as key, pg_get_indexdef(i.indexrelid) as definition
        from pg_index i
        left join pg_constraint c on c.conindid = i.indexrelid and c.contype = 'p'
        where i.indrelid = ('postel.' || v_table)::regclass
        order by pg_get_indexdef(i.indexrelid, 1, true) in ('id', 'message_id'), i.indexrelid
      loop
        if v_index.key is not null then
          execute format('alter table postel.%I add %s', v_name, v_index.key);
        else
          execute regexp_replace(
            v_index.definition, '^(CREATE (UNIQUE )?INDEX) \S+ ON ONLY \S+', format('\1 on postel.%I', v_name));
        end if;
      end loop;
      if v_table = 'deliveries' then
        -- each row is updated in place as its state changes: room for HOT
        execute format('alter table postel.%I set (fillfactor = 75)', v_name);
      elsif v_table = 'message_bodies' then
        -- what fits into a page stays in it: half the work of cutting a 4 KiB body into TOAST chunks
        execute format('alter table postel.%I set (toast_tuple_target = 8160)', v_name);
      end if;
      execute format(
        'alter table postel.%I attach partition postel.%I for values from (%L) to (%L)',
        v_table, v_name,
        postel.uuid_v7_floor(v_day::timestamp at time zone 'utc'),
        postel.uuid_v7_floor((v_day + 1)::timestamp at time zone 'utc')
      );
      v_made := v_made + 1;
    end loop;
  end loop;
  return v_made;
end
$$;
comment on function postel.create_partitions(integer, timestamptz) is
  'Makes the day partitions from yesterday to p_days_ahead; returns how many were missing. The worker calls it each hour.';
