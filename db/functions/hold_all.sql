-- hold_all: nothing that was submitted until now is sent until postel.release_all(): what is queued, deferred or scheduled is
-- held, and what webhooks are still to be told of it waits. For a database that was restored from a backup, whose mail may have
-- left already, or for a moment of doubt. Within a moment (5 s where a notice is lost) nothing at all is sent, whatever the number
-- of rows; new mail, which is accepted all the time, goes on as soon as the last old row is held. Mail that is being sent at this
-- moment is held too, but its result still counts. It does not expire while it is held. A release that is under way is ended. What
-- a person holds already keeps its own reason, and is not released by release_all. Returns how many recipients; more than 10,000
-- rows go on in the background.
create or replace function postel.hold_all(reason text default null) returns bigint
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
declare
  v_before uuid := postel.uuid_v7_floor(clock_timestamp() + interval '1 ms');
  v_held bigint;
begin
  -- What happened until now and was not read for the webhooks yet; see webhook_fan_out
  insert into postel.system_settings as s (key, value) values ('webhooks_wait_before', v_before::text)
  on conflict on constraint system_settings_pkey do update set value = excluded.value;
  update postel.webhook_deliveries d set next_attempt_at = null
  from (
    select p.id from postel.webhook_deliveries p
    where p.state = 'pending' and p.next_attempt_at is not null
    -- in the order of whoever else changes many
    order by p.id
    for update
  ) as pending
  where d.id = pending.id;

  -- A release that is under way would go on putting mail into the queue
  if exists (select from postel.operations o where o.finished_at is null and o.verb = 'release') then
    perform pg_advisory_xact_lock(hashtext('postel.run_chunk'));
    update postel.operations o set finished_at = clock_timestamp() where o.finished_at is null and o.verb = 'release';
  end if;
  v_held := postel.start_operation(
    'hold', jsonb_build_object('all', true, 'before', v_before), 'all mail held: ' || postel.signed_reason(reason));
  perform pg_notify('postel_control', 'suspensions');
  return v_held;
end
$$;
comment on function postel.hold_all(text) is
  'Holds all mail that is there, and what webhooks are to be told of it: select postel.hold_all(''restored from a backup''). New mail goes on. postel.release_all() ends it. Returns how many recipients.';
