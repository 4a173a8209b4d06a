-- Nodes, moves and checks of source IPs, backups, versions of the schema. It only adds: old and new versions run side by side on it.
CREATE TABLE "postel"."backups" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "postel"."backups_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp with time zone,
	"ok" boolean,
	"object" text NOT NULL,
	"bytes" bigint,
	"bodies" boolean NOT NULL,
	"error" text,
	"requested_by" text DEFAULT session_user NOT NULL,
	CONSTRAINT "backups_finished" CHECK (("postel"."backups"."finished_at" is null) = ("postel"."backups"."ok" is null))
);
--> statement-breakpoint
CREATE TABLE "postel"."ip_checks" (
	"ip_id" integer PRIMARY KEY NOT NULL,
	"ehlo_name" text,
	"ptr_names" text[] DEFAULT '{}' NOT NULL,
	"ptr_ok" boolean,
	"forward_ok" boolean,
	"ehlo_ok" boolean,
	"problem" text,
	"checked_at" timestamp with time zone,
	"fault" text,
	"due_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "postel"."ip_moves" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "postel"."ip_moves_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"ip_id" integer NOT NULL,
	"from_node" text,
	"to_node" text NOT NULL,
	"reason" text NOT NULL,
	"state" text DEFAULT 'releasing' NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"error" text,
	"retry_at" timestamp with time zone,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"ended_at" timestamp with time zone,
	CONSTRAINT "ip_moves_reason_valid" CHECK ("postel"."ip_moves"."reason" in ('unassigned', 'node gone', 'node draining', 'spread', 'pinned', 'astray')),
	CONSTRAINT "ip_moves_state_valid" CHECK ("postel"."ip_moves"."state" in ('releasing', 'attaching', 'done', 'cancelled')),
	CONSTRAINT "ip_moves_ended_or_open" CHECK (("postel"."ip_moves"."ended_at" is null) = ("postel"."ip_moves"."state" in ('releasing', 'attaching')))
);
--> statement-breakpoint
CREATE TABLE "postel"."schema_versions" (
	"digest" text PRIMARY KEY NOT NULL,
	"applied_at" timestamp with time zone NOT NULL,
	"replaced_at" timestamp with time zone
);
--> statement-breakpoint
ALTER TABLE "postel"."ip_addresses" ADD COLUMN "pinned" boolean DEFAULT true NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."ip_addresses" ADD COLUMN "moving_to" text;--> statement-breakpoint
ALTER TABLE "postel"."ip_addresses" ADD COLUMN "provider_id" text;--> statement-breakpoint
ALTER TABLE "postel"."ip_addresses" ADD COLUMN "placement_note" text;--> statement-breakpoint
ALTER TABLE "postel"."nodes" ADD COLUMN "alive_since" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "postel"."nodes" ADD COLUMN "state" text DEFAULT 'ready' NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."nodes" ADD COLUMN "state_reason" text;--> statement-breakpoint
ALTER TABLE "postel"."nodes" ADD COLUMN "addresses" "inet"[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."nodes" ADD COLUMN "server_id" text;--> statement-breakpoint
ALTER TABLE "postel"."nodes" ADD COLUMN "agent_seen_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "postel"."nodes" ADD COLUMN "agent_addresses" "inet"[];--> statement-breakpoint
ALTER TABLE "postel"."ip_checks" ADD CONSTRAINT "ip_checks_ip_id_ip_addresses_id_fk" FOREIGN KEY ("ip_id") REFERENCES "postel"."ip_addresses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."ip_moves" ADD CONSTRAINT "ip_moves_ip_id_ip_addresses_id_fk" FOREIGN KEY ("ip_id") REFERENCES "postel"."ip_addresses"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "backups_good" ON "postel"."backups" USING btree ("finished_at") WHERE "postel"."backups"."ok";--> statement-breakpoint
CREATE UNIQUE INDEX "ip_moves_one_open" ON "postel"."ip_moves" USING btree ("ip_id") WHERE "postel"."ip_moves"."ended_at" is null;--> statement-breakpoint
CREATE INDEX "ip_moves_ended_at" ON "postel"."ip_moves" USING btree ("ended_at");--> statement-breakpoint
CREATE INDEX "operations_unfinished" ON "postel"."operations" USING btree ("id") WHERE "postel"."operations"."finished_at" is null;--> statement-breakpoint
ALTER TABLE "postel"."nodes" ADD CONSTRAINT "nodes_state_valid" CHECK ("postel"."nodes"."state" in ('ready', 'draining'));