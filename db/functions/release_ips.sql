-- release_ips: gives a process's IPs back, so that another can take them at once. Null releases all of them and
-- removes the process: the last act of an orderly stop.
create or replace function postel.release_ips(p_process_id uuid, p_ip_ids integer[] default null) returns integer
language plpgsql
as $$
declare
  v_released integer;
begin
  delete from postel.ip_holders h
  where h.process_id = p_process_id and (p_ip_ids is null or h.ip_id = any (p_ip_ids));
  get diagnostics v_released = row_count;
  if p_ip_ids is null then
    delete from postel.outbound_processes p where p.id = p_process_id;
  end if;
  return v_released;
end
$$;
comment on function postel.release_ips(uuid, integer[]) is 'Gives source IPs back; outbound calls it when it stops.';
