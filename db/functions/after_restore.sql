-- after_restore: makes a database that was restored from a backup safe to start on: all its mail is held, the outbound
-- processes of its past have lost their IPs (what they had in flight waits a back-off, because the remote may have it), moves
-- of IPs that were under way are off, and bulk operations go on. Call it before any process of this database starts; the rest
-- of what hold_all began is done by run_operations. Returns how many recipients are held.
create or replace function postel.after_restore(p_reason text) returns bigint
language plpgsql
as $$
declare
  v_held bigint := postel.hold_all(p_reason);
begin
  update postel.ip_holders h set expires_at = '-infinity';
  perform postel.cancel_ip_move(m.id, p_reason) from postel.ip_moves m where m.ended_at is null;
  update postel.backups b
  set finished_at = now(), ok = false, error = 'it was being made when the backup was taken that this database comes from'
  where b.finished_at is null;
  perform graphile_worker.add_job('operations', job_key := 'operations');
  return v_held;
end
$$;
comment on function postel.after_restore(text) is 'Makes a restored database safe to start on; npm run restore calls it.';
