-- take_over: what a dead holder had in flight on these IPs counts as tried and waits a back-off, so that a message that
-- kills its sender cannot do so for ever: see fail_rows. A row that has outlived five holders is held.
-- Whether the remote has the message is unknown (in doubt). Returns how many rows it moved.
create or replace function postel.take_over(
  p_ip_ids integer[],
  p_former_process_id uuid,
  p_now timestamptz default clock_timestamp()
)
returns integer
language plpgsql
as $$
declare
  v_in_flight bigint[];
  v_moved integer;
begin
  select p.in_flight into v_in_flight
  from postel.outbound_processes p
  where p.id = p_former_process_id
  for update;

  v_moved := postel.fail_rows(
    p_ip_ids, v_in_flight,
    'the process that was sending it died; whether it was delivered is in doubt',
    'outlived five sending processes: look at the message, then release or cancel it',
    true, p_now
  );

  delete from postel.outbound_processes p
  where p.id = p_former_process_id
    and not exists (select from postel.ip_holders h where h.process_id = p_former_process_id);
  return v_moved;
end
$$;
comment on function postel.take_over(integer[], uuid, timestamptz) is
  'Defers what a dead holder had in flight on IPs that another process now holds.';
