-- announce_released: says on the bus which source IPs have new work, and to the worker when to look for more. In a
-- transaction of its own, after the one that moved the mail.
create or replace function postel.announce_released(ip_ids integer[], due timestamptz[]) returns void
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
begin
  perform postel.notify_outbound(ip_ids);
  perform postel.schedule_release(due);
end
$$;
comment on function postel.announce_released(integer[], timestamptz[]) is
  'Tells outbound and worker of mail that was put back; part of run_operations.';
