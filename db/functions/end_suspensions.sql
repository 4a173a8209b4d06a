-- end_suspensions: removes the suspensions whose time has come, and says so on the bus. Returns how many.
create or replace function postel.end_suspensions(p_now timestamptz default now()) returns integer
language plpgsql
as $$
declare
  v_ended integer;
begin
  delete from postel.suspensions s where s.until <= p_now;
  get diagnostics v_ended = row_count;
  if v_ended > 0 then
    perform pg_notify('postel_control', 'suspensions');
  end if;
  return v_ended;
end
$$;
comment on function postel.end_suspensions(timestamptz) is 'Removes suspensions whose time has come; the worker calls it each minute.';
