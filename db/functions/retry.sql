-- retry: tries a message's deferred recipients now instead of later. Held and scheduled mail stays where it is (release
-- it first). Returns how many recipients it moved.
create or replace function postel.retry(message_id uuid) returns integer
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
declare
  v_recipients integer;
  v_released record;
begin
  with hurried as (
    update postel.waiting w set not_before = '-infinity'
    where w.message_id = retry.message_id and w.state = 'deferred'
    returning w.numbers
  )
  select coalesce(sum(cardinality(h.numbers)), 0) into v_recipients from hurried h;
  if v_recipients > 0 then
    -- the rows just hurried come first, so one call reaches them
    select r.* into v_released from postel.release_due(1000) as r;
    if v_released.ip_ids is not null then
      perform pg_notify('postel_outbound', array_to_string(v_released.ip_ids, ','));
    end if;
  end if;
  return v_recipients;
end
$$;
comment on function postel.retry(uuid) is 'Tries a deferred message now: select postel.retry(''<message id>'').';
