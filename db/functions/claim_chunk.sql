-- claim_chunk: what is to be done next of the oldest operation that is not finished: the rows of queue or waiting
-- (`source`) with ids above after_id up to to_id, of a phase every fourth. Operations run one after the other, as if each had
-- been done at once when it was asked for; three runners may share one. It only moves the cursor, in a transaction of its
-- own, so whoever claims next need not wait until run_chunk has done it; what is claimed and never done, or was locked,
-- or has moved on under a new id, is met by another round, because an operation is finished only when a look at all of
-- it finds nothing left. Mail submitted after the operation was asked for is not touched by hold, cancel and bounce; what
-- is put back, or queued on an IP, after its first chunk is not touched by release, retry and move.
--
-- The cursors are id * 16 + step: four windows are gone through in turns, once for each phase, so that runners side by side
-- are at different pages, and what a phase left behind is dead to all when the next one comes. `id` is null: nothing is to
-- be done, or three runners are at it (`busy`), or what is left
-- is about to be finished or unlocked by others (`stalled`: ask again a moment later).
create or replace function postel.claim_chunk(
  p_window integer default null,
  p_id bigint default null,
  out id bigint,
  out verb text,
  out source text,
  out after_id bigint,
  out to_id bigint,
  out phase integer,
  out busy boolean,
  out stalled boolean,
  out finished boolean
)
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
#variable_conflict use_column
declare
  v_phased_window constant integer := 20000;
  v_phases constant integer := 4;
  v_steps constant integer := 16;
  v_operation postel.operations;
  v_pulls boolean;
  v_end bigint;
  v_cursor bigint;
  v_step integer;
  v_windows integer;
  v_first bigint;
begin
  busy := p_id is null and 3 <= (
    select count(*) from pg_locks l
    where l.locktype = 'advisory' and l.granted and l.objid = hashtext('postel.run_chunk')::oid
      and l.database = (select d.oid from pg_database d where d.datname = current_database())
  );
  stalled := false;
  finished := false;
  if busy then
    return;
  end if;
  -- a claim that a crash takes back is made again
  if p_id is null then
    perform set_config('synchronous_commit', 'off', true);
  end if;
  select o.* into v_operation
  from postel.operations o
  where o.id = coalesce(p_id, (select min(f.id) from postel.operations f where f.finished_at is null))
  for update;
  if v_operation.id is null then
    return;
  elsif v_operation.finished_at is not null then
    -- somebody else has just finished it
    stalled := p_id is null;
    return;
  end if;
  verb := v_operation.verb;
  v_pulls := verb in ('hold', 'cancel', 'bounce');
  if v_operation.queue_max = 0 or (v_pulls and v_operation.queue_at = 0 and v_operation.waiting_at = 0) then
    v_operation.queue_max := (select s.last_value from postel.queue_id_seq s);
    v_operation.waiting_max := (select s.last_value from postel.waiting_id_seq s);
  end if;

  -- The cursors jump over ids that are gone, but not within their turns
  if v_operation.queue_at < v_operation.queue_max * v_steps and verb not in ('release', 'retry') then
    source := 'queue';
    v_end := v_operation.queue_max;
    v_cursor := v_operation.queue_at;
    if v_cursor % v_steps = 0 then
      select min(n.id) into v_first
      from postel.ip_addresses a
      cross join lateral (
        select q.id from postel.queue q where q.ip_id = a.id and q.id > v_cursor / v_steps order by q.id limit 1
      ) as n
      where v_operation.filter ->> 'ip_id' is null or a.id = (v_operation.filter ->> 'ip_id')::integer;
      v_cursor := least(coalesce(v_first - 1, v_end), v_end) * v_steps;
    end if;
    v_operation.queue_at := v_cursor;
  end if;
  if (source is null or v_cursor >= v_end * v_steps) and v_operation.waiting_at < v_operation.waiting_max * v_steps and verb <> 'move' then
    source := 'waiting';
    v_end := v_operation.waiting_max;
    v_cursor := v_operation.waiting_at;
    if v_cursor % v_steps = 0 then
      select min(n.id) into v_first
      from (select w.id from postel.waiting w where w.id > v_cursor / v_steps order by w.id limit 1) as n;
      v_cursor := least(coalesce(v_first - 1, v_end), v_end) * v_steps;
    end if;
    v_operation.waiting_at := v_cursor;
  end if;

  if source is null or v_cursor >= v_end * v_steps then
    -- a round has ended
    source := null;
    select c.rows = 0 into finished
    from postel.count_matching(
      verb, postel.bounded_filter(v_operation), 1, v_operation.queue_max,
      case when not v_pulls then v_operation.waiting_max end
    ) as c;
    stalled := not finished;
    v_operation.queue_at := case when finished then v_operation.queue_at else 0 end;
    v_operation.waiting_at := case when finished then v_operation.waiting_at else 0 end;
  else
    v_step := v_cursor % v_steps;
    after_id := v_cursor / v_steps;
    if v_step = 0 and p_window > v_phased_window then
      -- a wide window, where little is met, is done at once
      to_id := least(after_id + p_window, v_end);
      v_cursor := to_id * v_steps;
    else
      v_windows := least((v_end - after_id - 1) / v_phased_window + 1, v_steps / v_phases);
      v_cursor := case when v_step + 1 < v_windows * v_phases then v_cursor + 1
        else least(after_id + v_windows * v_phased_window, v_end) * v_steps end;
      phase := v_step / v_windows;
      after_id := after_id + v_step % v_windows * v_phased_window;
      to_id := least(after_id + v_phased_window, v_end);
    end if;
    if source = 'queue' then
      v_operation.queue_at := v_cursor;
    else
      v_operation.waiting_at := v_cursor;
    end if;
  end if;
  update postel.operations o
  set
    queue_max = v_operation.queue_max,
    waiting_max = v_operation.waiting_max,
    queue_at = v_operation.queue_at,
    waiting_at = v_operation.waiting_at,
    finished_at = case when claim_chunk.finished then clock_timestamp() end
  where o.id = v_operation.id;
  id := v_operation.id;
  if finished and v_operation.filter ? 'all' then
    -- new mail may leave now
    perform pg_notify('postel_control', 'suspensions');
  end if;
end
$$;
comment on function postel.claim_chunk(integer, bigint) is
  'Which rows to change next for the oldest unfinished operation; the worker and run_operations give them to run_chunk.';
