-- The delivery engine: rules and suspensions, what is learned of sites, reports, bulk operations. Old and new versions run
-- side by side on it. The new index takes a lock against writes to queue while it is built: seconds per million rows.
CREATE TABLE "postel"."destination_rules" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "postel"."destination_rules_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"name" text NOT NULL,
	"origin" text DEFAULT 'operator' NOT NULL,
	"domains" text[] DEFAULT '{}' NOT NULL,
	"mx" text[] DEFAULT '{}' NOT NULL,
	"connections_max" integer,
	"messages_per_connection" integer,
	"messages_per_minute" integer,
	"recipients_per_transaction" integer,
	"tls" text,
	"smarthost" text,
	"note" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "destination_rules_name_per_origin" UNIQUE("name","origin"),
	CONSTRAINT "destination_rules_origin_valid" CHECK ("postel"."destination_rules"."origin" in ('shipped', 'operator')),
	CONSTRAINT "destination_rules_connections_valid" CHECK ("postel"."destination_rules"."connections_max" between 1 and 1000),
	CONSTRAINT "destination_rules_per_connection_valid" CHECK ("postel"."destination_rules"."messages_per_connection" between 1 and 100000),
	CONSTRAINT "destination_rules_per_minute_valid" CHECK ("postel"."destination_rules"."messages_per_minute" between 1 and 10000000),
	CONSTRAINT "destination_rules_recipients_valid" CHECK ("postel"."destination_rules"."recipients_per_transaction" between 1 and 1000),
	CONSTRAINT "destination_rules_tls_valid" CHECK ("postel"."destination_rules"."tls" in ('opportunistic', 'enforced')),
	CONSTRAINT "destination_rules_smarthost_valid" CHECK ("postel"."destination_rules"."smarthost" ~ '^smtps?://[^[:space:]]+$')
);
--> statement-breakpoint
CREATE TABLE "postel"."destinations" (
	"domain" text PRIMARY KEY NOT NULL,
	"site" text NOT NULL,
	"mx_hosts" text[] NOT NULL,
	"seen_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "postel"."event_cursors" (
	"name" text PRIMARY KEY NOT NULL,
	"last_event_id" uuid NOT NULL,
	"updated_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "postel"."ip_sites" (
	"ip_id" integer NOT NULL,
	"site" text NOT NULL,
	"state" text NOT NULL,
	"factor" real NOT NULL,
	"connections_max" integer NOT NULL,
	"messages_per_minute" integer,
	"until" timestamp with time zone,
	"reason" text,
	"refusals" integer DEFAULT 0 NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	CONSTRAINT "ip_sites_pkey" PRIMARY KEY("ip_id","site"),
	CONSTRAINT "ip_sites_state_valid" CHECK ("postel"."ip_sites"."state" in ('open', 'slowed', 'backing_off', 'suspended'))
);
--> statement-breakpoint
CREATE TABLE "postel"."mta_sts_policies" (
	"domain" text PRIMARY KEY NOT NULL,
	"policy_id" text NOT NULL,
	"policy" text NOT NULL,
	"fetched_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "postel"."operations" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "postel"."operations_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"verb" text NOT NULL,
	"filter" jsonb NOT NULL,
	"reason" text,
	"requested_by" text DEFAULT session_user NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"queue_max" bigint NOT NULL,
	"waiting_max" bigint NOT NULL,
	"queue_at" bigint DEFAULT 0 NOT NULL,
	"waiting_at" bigint DEFAULT 0 NOT NULL,
	"matched" bigint NOT NULL,
	"done" bigint DEFAULT 0 NOT NULL,
	"finished_at" timestamp with time zone,
	CONSTRAINT "operations_verb_valid" CHECK ("postel"."operations"."verb" in ('hold', 'release', 'cancel', 'bounce', 'retry', 'move'))
);
--> statement-breakpoint
CREATE TABLE "postel"."reply_rules" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "postel"."reply_rules_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"position" integer DEFAULT 100 NOT NULL,
	"mx" text,
	"pattern" text NOT NULL,
	"category" text NOT NULL,
	"outcome" text,
	"note" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "reply_rules_outcome_valid" CHECK ("postel"."reply_rules"."outcome" in ('deferred', 'bounced'))
);
--> statement-breakpoint
CREATE TABLE "postel"."reports" (
	"message_id" uuid NOT NULL,
	"number" smallint NOT NULL,
	"kind" text NOT NULL,
	"report_id" uuid NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "reports_pkey" PRIMARY KEY("message_id","number","kind"),
	CONSTRAINT "reports_kind_valid" CHECK ("postel"."reports"."kind" in ('final', 'delayed'))
);
--> statement-breakpoint
CREATE TABLE "postel"."suspensions" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "postel"."suspensions_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"domain" text,
	"project_id" uuid,
	"reason" text NOT NULL,
	"until" timestamp with time zone,
	"requested_by" text DEFAULT session_user NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "suspensions_one_kind" CHECK (("postel"."suspensions"."domain" is null) <> ("postel"."suspensions"."project_id" is null))
);
--> statement-breakpoint
CREATE TABLE "postel"."tls_results" (
	"day" date NOT NULL,
	"policy_domain" text NOT NULL,
	"policy_type" text NOT NULL,
	"mx_host" text NOT NULL,
	"ip_id" integer NOT NULL,
	"result" text NOT NULL,
	"sessions" bigint NOT NULL,
	CONSTRAINT "tls_results_pkey" PRIMARY KEY("day","policy_domain","policy_type","mx_host","ip_id","result")
);
--> statement-breakpoint
ALTER TABLE "postel"."messages" DROP CONSTRAINT "messages_source_valid";--> statement-breakpoint
DROP INDEX "postel"."queue_lane";--> statement-breakpoint
ALTER TABLE "postel"."domains" ADD COLUMN "tls" text DEFAULT 'opportunistic' NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."projects" ADD COLUMN "priority" smallint DEFAULT 50 NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."projects" ADD COLUMN "tls" text DEFAULT 'opportunistic' NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."projects" ADD COLUMN "reports" text DEFAULT 'asked' NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."projects" ADD COLUMN "delay_notice_after_seconds" integer;--> statement-breakpoint
ALTER TABLE "postel"."waiting" ADD COLUMN "former_id" bigint;--> statement-breakpoint
ALTER TABLE "postel"."waiting" ADD COLUMN "held_from" text;--> statement-breakpoint
CREATE INDEX "reports_created_at" ON "postel"."reports" USING btree ("created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "suspensions_domain" ON "postel"."suspensions" USING btree ("domain") WHERE "postel"."suspensions"."domain" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "suspensions_project_id" ON "postel"."suspensions" USING btree ("project_id") WHERE "postel"."suspensions"."project_id" is not null;--> statement-breakpoint
CREATE INDEX "queue_lane" ON "postel"."queue" USING btree ("ip_id","project_id","domain","id");--> statement-breakpoint
ALTER TABLE "postel"."domains" ADD CONSTRAINT "domains_tls_valid" CHECK ("postel"."domains"."tls" in ('opportunistic', 'enforced'));--> statement-breakpoint
ALTER TABLE "postel"."messages" ADD CONSTRAINT "messages_source_valid" CHECK ("postel"."messages"."source" in ('smtp', 'rest', 'sql', 'report'));--> statement-breakpoint
ALTER TABLE "postel"."projects" ADD CONSTRAINT "projects_priority_valid" CHECK ("postel"."projects"."priority" between 0 and 100);--> statement-breakpoint
ALTER TABLE "postel"."projects" ADD CONSTRAINT "projects_tls_valid" CHECK ("postel"."projects"."tls" in ('opportunistic', 'enforced'));--> statement-breakpoint
ALTER TABLE "postel"."projects" ADD CONSTRAINT "projects_reports_valid" CHECK ("postel"."projects"."reports" in ('never', 'asked', 'failures'));--> statement-breakpoint
ALTER TABLE "postel"."projects" ADD CONSTRAINT "projects_delay_notice_positive" CHECK ("postel"."projects"."delay_notice_after_seconds" > 0);--> statement-breakpoint
ALTER TABLE "postel"."waiting" ADD CONSTRAINT "waiting_held_from_valid" CHECK ("postel"."waiting"."held_from" in ('queued', 'deferred', 'scheduled'));