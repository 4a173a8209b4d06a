-- quota_reserve: reserves recipients of an organization's month for a process: p_need, which is what it has to accept now,
-- and up to p_spare beyond, but no more of that than a sixteenth of what is left then, so near the end nobody holds what
-- another needs. Adds to p_block where that lives, else makes a block. `granted` is less than p_need where the month has no
-- more, and null where the organization has no quota. The process may use the block for `seconds` from when it asked.
--
-- Not flushed to disk by itself: the first mail that is stored under the block is, and with it all before.
create or replace function postel.quota_reserve(
  p_organization uuid,
  p_process text,
  p_block uuid,
  p_need bigint,
  p_spare bigint,
  p_now timestamptz default clock_timestamp(),
  out block uuid,
  out granted bigint,
  out seconds double precision,
  out quota bigint
)
language plpgsql
as $$
declare
  v_month record;
  v_expires_at timestamptz;
begin
  perform set_config('synchronous_commit', 'off', true);
  select m.* into v_month from postel.quota_month(p_organization, p_now) as m;
  quota := v_month.quota;
  if quota is null then
    return;
  end if;
  granted := greatest(least(p_need, v_month.available), 0);
  granted := granted + least(p_spare, greatest(v_month.available - granted, 0) / 16);
  if granted = 0 then
    return;
  end if;
  v_expires_at := postel.quota_block_end(v_month.month, p_now);
  update postel.quota_blocks b
  set recipients = b.recipients + granted, expires_at = v_expires_at
  where b.id = p_block and b.process = p_process and b.organization_id = p_organization and b.month = v_month.month
    and b.expires_at > p_now
  returning b.id into block;
  if block is null then
    insert into postel.quota_blocks (organization_id, month, process, recipients, expires_at)
    values (p_organization, v_month.month, p_process, granted, v_expires_at)
    returning id into block;
  end if;
  seconds := extract(epoch from v_expires_at - p_now);
end
$$;
comment on function postel.quota_reserve(uuid, text, uuid, bigint, bigint, timestamptz) is
  'Reserves recipients of an organization''s month for a process; the apps call it.';
