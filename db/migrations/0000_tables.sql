-- The tables of schema postel. First migration: there is no older version to run beside it.
-- Hand-written on top of what drizzle-kit generated: the schema, uuid_v7(), and PARTITION BY.
CREATE SCHEMA IF NOT EXISTS "postel";
--> statement-breakpoint
do $$
begin
  if to_regprocedure('pg_catalog.uuidv7()') is not null then
    create function postel.uuid_v7() returns uuid language sql volatile parallel safe
      as 'select pg_catalog.uuidv7()';
  else
    -- 48 bits of milliseconds, then 12 of the fraction, as uuidv7() has it: ids made one after another are in order.
    create function postel.uuid_v7() returns uuid language sql volatile parallel safe
      as $f$
        select (
          overlay(
            lpad(to_hex((extract(epoch from clock_timestamp()) * 1000000)::bigint * 512 / 125), 15, '0')
            placing '7' from 13 for 0
          ) || substr(gen_random_uuid()::text, 20)
        )::uuid
      $f$;
  end if;
end
$$;
--> statement-breakpoint
CREATE TABLE "postel"."api_keys" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"organization_id" uuid NOT NULL,
	"project_id" uuid NOT NULL,
	"name" text NOT NULL,
	"prefix" text NOT NULL,
	"hash" "bytea" NOT NULL,
	"permission" text DEFAULT 'full_access' NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"revoked_at" timestamp with time zone,
	CONSTRAINT "api_keys_hash_unique" UNIQUE("hash"),
	CONSTRAINT "api_keys_permission_valid" CHECK ("postel"."api_keys"."permission" in ('full_access', 'sending_access'))
);
--> statement-breakpoint
CREATE TABLE "postel"."attempts" (
	"message_id" uuid NOT NULL,
	"number" smallint NOT NULL,
	"attempt" smallint NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"duration_ms" integer NOT NULL,
	"ip_id" integer,
	"outcome" text NOT NULL,
	"in_doubt" boolean NOT NULL,
	"mx_host" text,
	"mx_address" "inet",
	"tls" text,
	"code" smallint,
	"enhanced_code" text,
	"category" text,
	"reply" text,
	CONSTRAINT "attempts_pkey" PRIMARY KEY("message_id","number","attempt")
) PARTITION BY RANGE ("message_id");
--> statement-breakpoint
CREATE TABLE "postel"."deliveries" (
	"message_id" uuid NOT NULL,
	"number" smallint NOT NULL,
	"state" text NOT NULL,
	"attempts" smallint DEFAULT 0 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	"ip_id" integer,
	"ip_reason" text,
	"recipient" text NOT NULL,
	"domain" text NOT NULL,
	"last_reply" text,
	CONSTRAINT "deliveries_pkey" PRIMARY KEY("message_id","number"),
	CONSTRAINT "deliveries_state_valid" CHECK ("postel"."deliveries"."state" in ('queued', 'scheduled', 'held', 'deferred', 'delivered', 'bounced', 'expired', 'cancelled', 'suppressed'))
) PARTITION BY RANGE ("message_id");
--> statement-breakpoint
CREATE TABLE "postel"."dkim_keys" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"domain_id" uuid NOT NULL,
	"selector" text NOT NULL,
	"algorithm" text NOT NULL,
	"private_key" "bytea" NOT NULL,
	"public_key" text NOT NULL,
	"active" boolean DEFAULT true NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "dkim_keys_selector_per_domain" UNIQUE("domain_id","selector"),
	CONSTRAINT "dkim_keys_algorithm_valid" CHECK ("postel"."dkim_keys"."algorithm" in ('rsa-sha256', 'ed25519-sha256'))
);
--> statement-breakpoint
CREATE TABLE "postel"."domains" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"organization_id" uuid NOT NULL,
	"project_id" uuid,
	"name" text NOT NULL,
	"status" text DEFAULT 'pending' NOT NULL,
	"verified_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "domains_name_per_organization" UNIQUE("organization_id","name"),
	CONSTRAINT "domains_status_valid" CHECK ("postel"."domains"."status" in ('pending', 'verified', 'failed')),
	CONSTRAINT "domains_name_canonical" CHECK ("postel"."domains"."name" = lower("postel"."domains"."name") and "postel"."domains"."name" !~ '\.$')
);
--> statement-breakpoint
CREATE TABLE "postel"."events" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"organization_id" uuid NOT NULL,
	"message_id" uuid NOT NULL,
	"number" smallint,
	"type" text NOT NULL
) PARTITION BY RANGE ("id");
--> statement-breakpoint
CREATE TABLE "postel"."idempotency_keys" (
	"project_id" uuid NOT NULL,
	"key" text NOT NULL,
	"request_hash" "bytea" NOT NULL,
	"message_ids" uuid[] NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_keys_pkey" PRIMARY KEY("project_id","key")
);
--> statement-breakpoint
CREATE TABLE "postel"."ip_addresses" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "postel"."ip_addresses_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"pool_id" integer NOT NULL,
	"address" "inet" NOT NULL,
	"ehlo_name" text,
	"state" text DEFAULT 'active' NOT NULL,
	"state_reason" text,
	"weight" integer DEFAULT 100 NOT NULL,
	"node_name" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "ip_addresses_address_unique" UNIQUE("address"),
	CONSTRAINT "ip_addresses_state_valid" CHECK ("postel"."ip_addresses"."state" in ('active', 'warming', 'paused', 'quarantined', 'draining', 'retired')),
	CONSTRAINT "ip_addresses_weight_valid" CHECK ("postel"."ip_addresses"."weight" between 0 and 10000)
);
--> statement-breakpoint
CREATE TABLE "postel"."ip_holders" (
	"ip_id" integer PRIMARY KEY NOT NULL,
	"process_id" uuid NOT NULL,
	"epoch" bigint NOT NULL,
	"acquired_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "postel"."ip_pools" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "postel"."ip_pools_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"name" text NOT NULL,
	"is_default" boolean DEFAULT false NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "ip_pools_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "postel"."message_bodies" (
	"message_id" uuid PRIMARY KEY NOT NULL,
	"encoding" smallint NOT NULL,
	"body" "bytea" NOT NULL
) PARTITION BY RANGE ("message_id");
--> statement-breakpoint
CREATE TABLE "postel"."messages" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"organization_id" uuid NOT NULL,
	"project_id" uuid NOT NULL,
	"size_bytes" integer NOT NULL,
	"recipient_count" smallint NOT NULL,
	"source" text NOT NULL,
	"envelope_from" text NOT NULL,
	"signing_domain" text,
	"message_id_header" text NOT NULL,
	"header_from" text NOT NULL,
	"subject" text NOT NULL,
	"details" jsonb,
	CONSTRAINT "messages_source_valid" CHECK ("postel"."messages"."source" in ('smtp', 'rest', 'sql'))
) PARTITION BY RANGE ("id");
--> statement-breakpoint
CREATE TABLE "postel"."nodes" (
	"name" text PRIMARY KEY NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_seen_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "postel"."organizations" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"name" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "postel"."outbound_processes" (
	"id" uuid PRIMARY KEY NOT NULL,
	"node_name" text NOT NULL,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"heartbeat_at" timestamp with time zone NOT NULL,
	"in_flight" bigint[] DEFAULT '{}' NOT NULL
);
--> statement-breakpoint
CREATE TABLE "postel"."projects" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"organization_id" uuid NOT NULL,
	"name" text NOT NULL,
	"pool_id" integer NOT NULL,
	"retry_schedule_seconds" integer[],
	"expire_after_seconds" integer DEFAULT 259200 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "projects_expire_after_positive" CHECK ("postel"."projects"."expire_after_seconds" > 0)
);
--> statement-breakpoint
CREATE TABLE "postel"."queue" (
	"id" bigint GENERATED ALWAYS AS IDENTITY (sequence name "postel"."queue_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"ip_id" integer NOT NULL,
	"priority" smallint NOT NULL,
	"attempts" smallint NOT NULL,
	"lost_holders" smallint NOT NULL,
	"size_bytes" integer NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"message_id" uuid NOT NULL,
	"organization_id" uuid NOT NULL,
	"project_id" uuid NOT NULL,
	"queued_at" timestamp with time zone NOT NULL,
	"domain" text NOT NULL,
	"numbers" smallint[] NOT NULL,
	"recipients" text[] NOT NULL,
	CONSTRAINT "queue_pkey" PRIMARY KEY("ip_id","id")
);
--> statement-breakpoint
CREATE TABLE "postel"."sandbox_messages" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "postel"."sandbox_messages_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"received_at" timestamp with time zone DEFAULT now() NOT NULL,
	"organization_id" uuid,
	"message_id" uuid,
	"client_address" text NOT NULL,
	"ehlo_name" text NOT NULL,
	"envelope_from" text NOT NULL,
	"recipients" text[] NOT NULL,
	"raw" "bytea" NOT NULL
);
--> statement-breakpoint
CREATE TABLE "postel"."smtp_credentials" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"organization_id" uuid NOT NULL,
	"project_id" uuid NOT NULL,
	"name" text NOT NULL,
	"prefix" text,
	"hash" "bytea",
	"network" "cidr",
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"revoked_at" timestamp with time zone,
	CONSTRAINT "smtp_credentials_hash_unique" UNIQUE("hash"),
	CONSTRAINT "smtp_credentials_one_kind" CHECK (("postel"."smtp_credentials"."hash" is null) <> ("postel"."smtp_credentials"."network" is null))
);
--> statement-breakpoint
CREATE TABLE "postel"."suppressions" (
	"organization_id" uuid NOT NULL,
	"address" text NOT NULL,
	"reason" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "suppressions_pkey" PRIMARY KEY("organization_id","address")
);
--> statement-breakpoint
CREATE TABLE "postel"."waiting" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "postel"."waiting_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"state" text NOT NULL,
	"not_before" timestamp with time zone NOT NULL,
	"reason" text NOT NULL,
	"ip_id" integer,
	"priority" smallint NOT NULL,
	"attempts" smallint NOT NULL,
	"lost_holders" smallint NOT NULL,
	"size_bytes" integer NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"message_id" uuid NOT NULL,
	"organization_id" uuid NOT NULL,
	"project_id" uuid NOT NULL,
	"domain" text NOT NULL,
	"numbers" smallint[] NOT NULL,
	"recipients" text[] NOT NULL,
	CONSTRAINT "waiting_state_valid" CHECK ("postel"."waiting"."state" in ('deferred', 'scheduled', 'held'))
);
--> statement-breakpoint
ALTER TABLE "postel"."api_keys" ADD CONSTRAINT "api_keys_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "postel"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."api_keys" ADD CONSTRAINT "api_keys_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "postel"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."dkim_keys" ADD CONSTRAINT "dkim_keys_domain_id_domains_id_fk" FOREIGN KEY ("domain_id") REFERENCES "postel"."domains"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."domains" ADD CONSTRAINT "domains_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "postel"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."domains" ADD CONSTRAINT "domains_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "postel"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."ip_addresses" ADD CONSTRAINT "ip_addresses_pool_id_ip_pools_id_fk" FOREIGN KEY ("pool_id") REFERENCES "postel"."ip_pools"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."projects" ADD CONSTRAINT "projects_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "postel"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."projects" ADD CONSTRAINT "projects_pool_id_ip_pools_id_fk" FOREIGN KEY ("pool_id") REFERENCES "postel"."ip_pools"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."smtp_credentials" ADD CONSTRAINT "smtp_credentials_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "postel"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."smtp_credentials" ADD CONSTRAINT "smtp_credentials_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "postel"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."suppressions" ADD CONSTRAINT "suppressions_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "postel"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "api_keys_project_id" ON "postel"."api_keys" USING btree ("project_id");--> statement-breakpoint
CREATE UNIQUE INDEX "domains_verified_once" ON "postel"."domains" USING btree ("name") WHERE "postel"."domains"."status" = 'verified';--> statement-breakpoint
CREATE INDEX "domains_project_id" ON "postel"."domains" USING btree ("project_id");--> statement-breakpoint
CREATE INDEX "idempotency_keys_created_at" ON "postel"."idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "ip_addresses_pool_id" ON "postel"."ip_addresses" USING btree ("pool_id");--> statement-breakpoint
CREATE UNIQUE INDEX "ip_pools_one_default" ON "postel"."ip_pools" USING btree ("is_default") WHERE "postel"."ip_pools"."is_default";--> statement-breakpoint
CREATE INDEX "messages_project_id_id" ON "postel"."messages" USING btree ("project_id","id");--> statement-breakpoint
CREATE INDEX "projects_organization_id" ON "postel"."projects" USING btree ("organization_id");--> statement-breakpoint
CREATE INDEX "queue_lane" ON "postel"."queue" USING btree ("ip_id","domain","id");--> statement-breakpoint
CREATE INDEX "queue_message_id" ON "postel"."queue" USING btree ("message_id");--> statement-breakpoint
CREATE INDEX "sandbox_messages_organization_id" ON "postel"."sandbox_messages" USING btree ("organization_id","id");--> statement-breakpoint
CREATE INDEX "smtp_credentials_project_id" ON "postel"."smtp_credentials" USING btree ("project_id");--> statement-breakpoint
CREATE INDEX "waiting_due" ON "postel"."waiting" USING btree ("not_before","id") WHERE "postel"."waiting"."state" <> 'held';--> statement-breakpoint
CREATE INDEX "waiting_message_id" ON "postel"."waiting" USING btree ("message_id");