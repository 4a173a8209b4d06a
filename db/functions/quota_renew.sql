-- quota_renew: a process says which blocks it goes on using, how much of each it gives back (`back`: it will not use that),
-- and which it is done with (`close`: nothing more of it will be stored). What was used is counted. A block that has ended is
-- not renewed. Returns the blocks that live on and for how many seconds from when it asked.
create or replace function postel.quota_renew(
  p_process text,
  p_blocks jsonb,
  p_now timestamptz default clock_timestamp()
)
returns table (block uuid, seconds double precision)
language plpgsql
as $$
declare
  v_block record;
  v_spent bigint;
  v_expires_at timestamptz;
begin
  perform set_config('synchronous_commit', 'off', true);
  for v_block in
    select b.id, b.organization_id, b.month, a.back, coalesce(a.close, false) as close
    from jsonb_to_recordset(p_blocks) as a (id uuid, back bigint, close boolean)
    join postel.quota_blocks b on b.id = a.id and b.process = p_process and b.expires_at > p_now
    -- in one order, so that two processes do not wait for each other
    order by b.organization_id, b.month, b.id
  loop
    perform 1 from postel.quota_months m
    where m.organization_id = v_block.organization_id and m.month = v_block.month
    for update;
    with counted as (
      delete from postel.quota_uses u where u.block_id = v_block.id returning u.recipients
    )
    select coalesce(sum(c.recipients), 0) into v_spent from counted c;
    if v_spent > 0 then
      update postel.quota_months m set used = m.used + v_spent
      where m.organization_id = v_block.organization_id and m.month = v_block.month;
    end if;
    if v_block.close then
      delete from postel.quota_blocks b where b.id = v_block.id;
    else
      v_expires_at := postel.quota_block_end(v_block.month, p_now);
      update postel.quota_blocks b
      set recipients = b.recipients - v_spent - v_block.back, expires_at = v_expires_at
      where b.id = v_block.id;
      block := v_block.id;
      seconds := extract(epoch from v_expires_at - p_now);
      return next;
    end if;
  end loop;
end
$$;
comment on function postel.quota_renew(text, jsonb, timestamptz) is
  'Counts what a process has used of its blocks of quota, and renews them; the apps call it.';
