-- What drizzle cannot say: storage parameters, and the roles. Old and new versions run side by side on it.
alter table postel.message_bodies alter column body set storage external;
--> statement-breakpoint
-- queue is only inserted into and deleted from: vacuum it by rows, not by share, and never truncate (that takes
-- an exclusive lock in front of every reader).
alter table postel.queue set (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
  autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 0,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000,
  vacuum_truncate = off, toast.vacuum_truncate = off
);
--> statement-breakpoint
alter table postel.waiting set (
  autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
  autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off
);
--> statement-breakpoint
-- Rewritten in place every few seconds: room for HOT updates.
alter table postel.ip_holders set (fillfactor = 50);
--> statement-breakpoint
alter table postel.outbound_processes set (fillfactor = 50);
--> statement-breakpoint
do $$
declare
  v_role text;
begin
  foreach v_role in array array['postel_app', 'postel_operator', 'postel_readonly'] loop
    if not exists (select from pg_roles where rolname = v_role) then
      begin
        execute format('create role %I nologin', v_role);
      exception when duplicate_object or unique_violation then
        null; -- another database of this cluster made it at the same time
      end;
    end if;
  end loop;
end
$$;
