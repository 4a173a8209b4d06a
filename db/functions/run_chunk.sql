-- run_chunk: does what claim_chunk has claimed, at most 5,000 rows; where there were more the cursor goes back to them. It
-- waits for nobody's locks, and holds its own no longer than its transaction. A phase takes every fourth id of its window: so
-- no transaction touches more of a page of deliveries than its free space takes, and their table and index do not grow
-- (measured: 97 % HOT updates instead of 33 %, in a quarter less time). `recipients` were changed; `ip_ids` have new work;
-- `due` is when to look for more.
create or replace function postel.run_chunk(
  p_id bigint,
  p_source text,
  p_after bigint,
  p_to bigint,
  p_phase integer,
  p_now timestamptz default clock_timestamp(),
  out recipients bigint,
  out ip_ids integer[],
  out due timestamptz[]
)
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
#variable_conflict use_column
declare
  v_limit constant integer := 5000;
  v_operation postel.operations;
  v_filter jsonb;
  v_chunk record;
begin
  -- a chunk that a crash takes back is met by another round; the lock is by which claim_chunk counts the runners
  perform set_config('synchronous_commit', 'off', true);
  perform pg_advisory_xact_lock_shared(hashtext('postel.run_chunk'));
  select o.* into strict v_operation from postel.operations o where o.id = p_id;
  recipients := 0;
  if v_operation.finished_at is not null then
    return;
  end if;
  v_filter := postel.bounded_filter(v_operation);
  if v_filter ? 'recipient' then
    due := array_remove(array[postel.split_rows(v_operation.verb, v_filter, p_source, p_after, p_to, p_now)], null);
    v_filter := v_filter || jsonb_build_object('only', v_filter ->> 'recipient');
  end if;
  if p_source = 'queue' then
    select c.recipients, c.reached, null::integer[] as ip_ids, null::timestamptz[] as due into v_chunk
    from postel.pull_from_queue(
      v_operation.verb, v_filter, v_operation.reason, p_after, p_to, p_phase, v_limit, p_now
    ) as c;
    if v_operation.verb = 'move' and v_chunk.recipients > 0 then
      due := due || (p_now + interval '2 s');
    end if;
  elsif v_operation.verb in ('release', 'retry') then
    select c.* into v_chunk
    from postel.put_back(v_operation.verb, v_filter, p_after, p_to, p_phase, v_limit, p_now) as c;
  else
    select c.recipients, c.reached, null::integer[] as ip_ids, null::timestamptz[] as due into v_chunk
    from postel.pull_from_waiting(
      v_operation.verb, v_filter, v_operation.reason, p_after, p_to, p_phase, v_limit, p_now
    ) as c;
  end if;
  recipients := v_chunk.recipients;
  ip_ids := v_chunk.ip_ids;
  due := due || v_chunk.due;
  -- last, because the other runner waits for this row
  update postel.operations o
  set
    done = o.done + run_chunk.recipients,
    queue_at = case when p_source = 'queue' and v_chunk.reached < p_to and p_phase is null
      then least(o.queue_at, v_chunk.reached * 16) else o.queue_at end,
    waiting_at = case when p_source = 'waiting' and v_chunk.reached < p_to and p_phase is null
      then least(o.waiting_at, v_chunk.reached * 16) else o.waiting_at end
  where o.id = p_id;
end
$$;
comment on function postel.run_chunk(bigint, text, bigint, bigint, integer, timestamptz) is
  'Changes the rows that claim_chunk has claimed for an operation.';
