-- release_all: what hold_all held goes on from where it was, mail and what webhooks are to be told, or one of the two. What a
-- person held by name stays held, and so does mail whose body is not there (a backup without bodies): cancel or bounce that.
-- A hold_all that is still under way is ended. Returns how many recipients; more than 10,000 rows go on in the background.
create or replace function postel.release_all(mail boolean default true, webhooks boolean default true) returns bigint
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
declare
  v_released bigint := 0;
  v_bodiless bigint;
begin
  if webhooks then
    delete from postel.system_settings s where s.key = 'webhooks_wait_before';
    update postel.webhook_deliveries d set next_attempt_at = clock_timestamp()
    where d.state = 'pending' and d.next_attempt_at is null;
    if found then
      perform graphile_worker.add_job('webhooks', job_key := 'webhooks', max_attempts := 1);
    end if;
  end if;
  if mail then
    if exists (select from postel.operations o where o.finished_at is null and o.verb = 'hold' and o.filter ? 'all') then
      -- A chunk of it that is being done is waited for, so that it holds nothing afterwards; before the update, because
      -- the chunk ends with this row
      perform pg_advisory_xact_lock(hashtext('postel.run_chunk'));
      update postel.operations o set finished_at = clock_timestamp()
      where o.finished_at is null and o.verb = 'hold' and o.filter ? 'all';
    end if;
    v_released := postel.start_operation('release', '{"held_by_all": true}', null);
    select coalesce(sum(cardinality(w.numbers)), 0) into v_bodiless
    from postel.waiting w
    where w.state = 'held' and w.reason like 'all mail held: %'
      and not exists (select from postel.message_bodies b where b.message_id = w.message_id);
    if v_bodiless > 0 then
      raise notice '% recipients stay held: the bodies of their messages are not there', v_bodiless
        using hint = 'They were not in the backup. Cancel or bounce them, for instance postel.bounce(older_than => ''0 s'', …).';
    end if;
    perform pg_notify('postel_control', 'suspensions');
  end if;
  return v_released;
end
$$;
comment on function postel.release_all(boolean, boolean) is
  'Ends postel.hold_all: select postel.release_all(), or only one part: release_all(webhooks => false). Returns how many recipients.';
