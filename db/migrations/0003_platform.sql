-- The platform: people, keys, quotas, webhooks, suppressions, templates, what domains show in DNS. Old and new versions run side
-- by side on it. Indexes on messages, deliveries and events are built under a lock against writes: seconds per million rows.
CREATE TABLE "postel"."audit_log" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"organization_id" uuid,
	"actor_kind" text NOT NULL,
	"actor_id" text,
	"actor_name" text NOT NULL,
	"address" "inet",
	"action" text NOT NULL,
	"target_kind" text NOT NULL,
	"target_id" text,
	"target_name" text,
	"details" jsonb
);
--> statement-breakpoint
CREATE TABLE "postel"."delivery_rates" (
	"organization_id" uuid NOT NULL,
	"period" timestamp with time zone NOT NULL,
	"delivered" bigint DEFAULT 0 NOT NULL,
	"bounced" bigint DEFAULT 0 NOT NULL,
	"invalid" bigint DEFAULT 0 NOT NULL,
	"complained" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "delivery_rates_pkey" PRIMARY KEY("organization_id","period")
);
--> statement-breakpoint
CREATE TABLE "postel"."email_metrics" (
	"organization_id" uuid NOT NULL,
	"project_id" uuid NOT NULL,
	"period" timestamp with time zone NOT NULL,
	"domain" text NOT NULL,
	"sent" bigint DEFAULT 0 NOT NULL,
	"delivered" bigint DEFAULT 0 NOT NULL,
	"suppressed" bigint DEFAULT 0 NOT NULL,
	"bounced" bigint DEFAULT 0 NOT NULL,
	"bounced_permanent" bigint DEFAULT 0 NOT NULL,
	"bounced_transient" bigint DEFAULT 0 NOT NULL,
	"delivery_delayed" bigint DEFAULT 0 NOT NULL,
	"failed" bigint DEFAULT 0 NOT NULL,
	"complained" bigint DEFAULT 0 NOT NULL,
	"unsubscribed" bigint DEFAULT 0 NOT NULL,
	"opened" bigint DEFAULT 0 NOT NULL,
	"clicked" bigint DEFAULT 0 NOT NULL,
	"unique_opened" bigint DEFAULT 0 NOT NULL,
	"unique_clicked" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "email_metrics_pkey" PRIMARY KEY("organization_id","period","project_id","domain")
);
--> statement-breakpoint
CREATE TABLE "postel"."invitations" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"organization_id" uuid NOT NULL,
	"email" text NOT NULL,
	"role" text NOT NULL,
	"token_hash" "bytea" NOT NULL,
	"invited_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"accepted_at" timestamp with time zone,
	CONSTRAINT "invitations_token_hash_unique" UNIQUE("token_hash"),
	CONSTRAINT "invitations_role_valid" CHECK ("postel"."invitations"."role" in ('read_only', 'maintainer', 'admin'))
);
--> statement-breakpoint
CREATE TABLE "postel"."members" (
	"organization_id" uuid NOT NULL,
	"user_id" uuid NOT NULL,
	"role" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "members_pkey" PRIMARY KEY("organization_id","user_id"),
	CONSTRAINT "members_role_valid" CHECK ("postel"."members"."role" in ('read_only', 'maintainer', 'admin'))
);
--> statement-breakpoint
CREATE TABLE "postel"."message_tags" (
	"project_id" uuid NOT NULL,
	"tag" text NOT NULL,
	"message_id" uuid NOT NULL,
	CONSTRAINT "message_tags_pkey" PRIMARY KEY("project_id","tag","message_id")
);
--> statement-breakpoint
CREATE TABLE "postel"."accounts" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"user_id" uuid NOT NULL,
	"account_id" text NOT NULL,
	"provider_id" text NOT NULL,
	"access_token" text,
	"refresh_token" text,
	"id_token" text,
	"access_token_expires_at" timestamp with time zone,
	"refresh_token_expires_at" timestamp with time zone,
	"scope" text,
	"password" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "accounts_identity_once" UNIQUE("provider_id","account_id")
);
--> statement-breakpoint
CREATE TABLE "postel"."auth_rate_limits" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"key" text NOT NULL,
	"count" integer NOT NULL,
	"last_request" bigint NOT NULL,
	CONSTRAINT "auth_rate_limits_key_unique" UNIQUE("key")
);
--> statement-breakpoint
CREATE TABLE "postel"."passkeys" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"user_id" uuid NOT NULL,
	"name" text,
	"public_key" text NOT NULL,
	"credential_id" text NOT NULL,
	"counter" integer NOT NULL,
	"device_type" text NOT NULL,
	"backed_up" boolean NOT NULL,
	"transports" text,
	"aaguid" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "passkeys_credential_id_unique" UNIQUE("credential_id")
);
--> statement-breakpoint
CREATE TABLE "postel"."sessions" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"user_id" uuid NOT NULL,
	"token" text NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"ip_address" text,
	"user_agent" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "sessions_token_unique" UNIQUE("token")
);
--> statement-breakpoint
CREATE TABLE "postel"."two_factors" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"user_id" uuid NOT NULL,
	"secret" text NOT NULL,
	"backup_codes" text NOT NULL,
	"verified" boolean DEFAULT true NOT NULL,
	"failed_verification_count" integer DEFAULT 0 NOT NULL,
	"locked_until" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "postel"."users" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"name" text NOT NULL,
	"email" text NOT NULL,
	"email_verified" boolean DEFAULT false NOT NULL,
	"image" text,
	"two_factor_enabled" boolean DEFAULT false NOT NULL,
	"platform_admin" boolean DEFAULT false NOT NULL,
	"blocked" boolean DEFAULT false NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "users_email_unique" UNIQUE("email")
);
--> statement-breakpoint
CREATE TABLE "postel"."verifications" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"identifier" text NOT NULL,
	"value" text NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "postel"."plans" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"name" text NOT NULL,
	"monthly_recipients" bigint,
	"recipients_per_second" integer,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "plans_name_unique" UNIQUE("name"),
	CONSTRAINT "plans_monthly_recipients_valid" CHECK ("postel"."plans"."monthly_recipients" >= 0),
	CONSTRAINT "plans_recipients_per_second_valid" CHECK ("postel"."plans"."recipients_per_second" > 0)
);
--> statement-breakpoint
CREATE TABLE "postel"."request_logs" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"organization_id" uuid NOT NULL,
	"project_id" uuid,
	"api_key_id" uuid,
	"method" text NOT NULL,
	"path" text NOT NULL,
	"status" smallint NOT NULL,
	"duration_ms" integer NOT NULL,
	"user_agent" text,
	"error" text
);
--> statement-breakpoint
CREATE TABLE "postel"."retention_cursors" (
	"project_id" uuid PRIMARY KEY NOT NULL,
	"last_message_id" uuid NOT NULL,
	"updated_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "postel"."system_settings" (
	"key" text PRIMARY KEY NOT NULL,
	"value" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "postel"."templates" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"organization_id" uuid NOT NULL,
	"project_id" uuid NOT NULL,
	"name" text NOT NULL,
	"alias" text,
	"status" text DEFAULT 'draft' NOT NULL,
	"draft" jsonb NOT NULL,
	"published" jsonb,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"published_at" timestamp with time zone,
	CONSTRAINT "templates_status_valid" CHECK ("postel"."templates"."status" in ('draft', 'published'))
);
--> statement-breakpoint
CREATE TABLE "postel"."quota_blocks" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"organization_id" uuid NOT NULL,
	"month" date NOT NULL,
	"process" text NOT NULL,
	"recipients" bigint NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "postel"."quota_months" (
	"organization_id" uuid NOT NULL,
	"month" date NOT NULL,
	"used" bigint DEFAULT 0 NOT NULL,
	"warned_percent" smallint DEFAULT 0 NOT NULL,
	CONSTRAINT "quota_months_pkey" PRIMARY KEY("organization_id","month")
);
--> statement-breakpoint
CREATE TABLE "postel"."quota_uses" (
	"block_id" uuid NOT NULL,
	"organization_id" uuid NOT NULL,
	"recipients" integer NOT NULL,
	"at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "postel"."rate_shares" (
	"owner_id" uuid NOT NULL,
	"process" text NOT NULL,
	"used_at" timestamp with time zone NOT NULL,
	CONSTRAINT "rate_shares_pkey" PRIMARY KEY("owner_id","process")
);
--> statement-breakpoint
CREATE TABLE "postel"."usage" (
	"organization_id" uuid NOT NULL,
	"project_id" uuid NOT NULL,
	"day" date NOT NULL,
	"messages" bigint DEFAULT 0 NOT NULL,
	"recipients" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "usage_pkey" PRIMARY KEY("organization_id","day","project_id")
);
--> statement-breakpoint
CREATE TABLE "postel"."webhook_attempts" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"delivery_id" uuid NOT NULL,
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	"duration_ms" integer NOT NULL,
	"status_code" smallint,
	"error" text,
	"response_body" text
);
--> statement-breakpoint
CREATE TABLE "postel"."webhook_deliveries" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"webhook_id" uuid NOT NULL,
	"event_id" uuid,
	"type" text NOT NULL,
	"payload" text NOT NULL,
	"state" text DEFAULT 'pending' NOT NULL,
	"attempts" smallint DEFAULT 0 NOT NULL,
	"next_attempt_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "webhook_deliveries_event_once" UNIQUE("webhook_id","event_id","type"),
	CONSTRAINT "webhook_deliveries_state_valid" CHECK ("postel"."webhook_deliveries"."state" in ('pending', 'delivered', 'failed'))
);
--> statement-breakpoint
CREATE TABLE "postel"."webhooks" (
	"id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL,
	"organization_id" uuid NOT NULL,
	"project_id" uuid,
	"endpoint" text NOT NULL,
	"events" text[] NOT NULL,
	"status" text DEFAULT 'enabled' NOT NULL,
	"status_reason" text,
	"enabled_at" timestamp with time zone DEFAULT now() NOT NULL,
	"failing_since" timestamp with time zone,
	"secret" "bytea" NOT NULL,
	"previous_secret" "bytea",
	"previous_secret_until" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp with time zone,
	CONSTRAINT "webhooks_status_valid" CHECK ("postel"."webhooks"."status" in ('enabled', 'disabled'))
);
--> statement-breakpoint
ALTER TABLE "postel"."messages" DROP CONSTRAINT "messages_source_valid";--> statement-breakpoint
ALTER TABLE "postel"."suppressions" DROP CONSTRAINT "suppressions_pkey";--> statement-breakpoint
ALTER TABLE "postel"."api_keys" ALTER COLUMN "organization_id" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."api_keys" ALTER COLUMN "project_id" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."events" ALTER COLUMN "message_id" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."suppressions" ALTER COLUMN "reason" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."api_keys" ADD COLUMN "domain_id" uuid;--> statement-breakpoint
ALTER TABLE "postel"."api_keys" ADD COLUMN "networks" "cidr"[];--> statement-breakpoint
ALTER TABLE "postel"."api_keys" ADD COLUMN "test" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."api_keys" ADD COLUMN "expires_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "postel"."api_keys" ADD COLUMN "last_used_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "postel"."dkim_keys" ADD COLUMN "imported" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."dkim_keys" ADD COLUMN "retires_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "postel"."domains" ADD COLUMN "verification_token" text;--> statement-breakpoint
ALTER TABLE "postel"."domains" ADD COLUMN "superseded_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "postel"."domains" ADD COLUMN "zone" text;--> statement-breakpoint
ALTER TABLE "postel"."domains" ADD COLUMN "region" text DEFAULT 'us-east-1' NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."domains" ADD COLUMN "sending" boolean DEFAULT true NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."domains" ADD COLUMN "return_path" text DEFAULT 'send' NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."domains" ADD COLUMN "return_path_verified_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "postel"."domains" ADD COLUMN "receiving" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."domains" ADD COLUMN "receiving_verified_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "postel"."domains" ADD COLUMN "open_tracking" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."domains" ADD COLUMN "click_tracking" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."domains" ADD COLUMN "tracking_subdomain" text;--> statement-breakpoint
ALTER TABLE "postel"."domains" ADD COLUMN "tracking_verified_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "postel"."domains" ADD COLUMN "checks" jsonb;--> statement-breakpoint
ALTER TABLE "postel"."domains" ADD COLUMN "checked_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "postel"."domains" ADD COLUMN "next_check_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "postel"."domains" ADD COLUMN "failing_since" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "postel"."domains" ADD COLUMN "failed_checks" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."events" ADD COLUMN "data" jsonb;--> statement-breakpoint
ALTER TABLE "postel"."messages" ADD COLUMN "test" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."operations" ADD COLUMN "organization_id" uuid;--> statement-breakpoint
ALTER TABLE "postel"."operations" ADD COLUMN "project_id" uuid;--> statement-breakpoint
ALTER TABLE "postel"."organizations" ADD COLUMN "status" text DEFAULT 'active' NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."organizations" ADD COLUMN "status_reason" text;--> statement-breakpoint
ALTER TABLE "postel"."organizations" ADD COLUMN "status_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "postel"."organizations" ADD COLUMN "trusted" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."organizations" ADD COLUMN "plan_id" uuid;--> statement-breakpoint
ALTER TABLE "postel"."organizations" ADD COLUMN "monthly_recipients" bigint;--> statement-breakpoint
ALTER TABLE "postel"."organizations" ADD COLUMN "recipients_per_second" integer;--> statement-breakpoint
ALTER TABLE "postel"."projects" ADD COLUMN "retention_days" integer;--> statement-breakpoint
ALTER TABLE "postel"."projects" ADD COLUMN "body_retention_days" integer;--> statement-breakpoint
ALTER TABLE "postel"."projects" ADD COLUMN "unsubscribe" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."projects" ADD COLUMN "recipients_per_second" integer;--> statement-breakpoint
ALTER TABLE "postel"."projects" ADD COLUMN "deleted_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "postel"."sandbox_messages" ADD COLUMN "project_id" uuid;--> statement-breakpoint
ALTER TABLE "postel"."smtp_credentials" ADD COLUMN "test" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."smtp_credentials" ADD COLUMN "expires_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "postel"."smtp_credentials" ADD COLUMN "last_used_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "postel"."suppressions" ADD COLUMN "id" uuid PRIMARY KEY DEFAULT postel.uuid_v7() NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."suppressions" ADD COLUMN "project_id" uuid;--> statement-breakpoint
ALTER TABLE "postel"."suppressions" ADD COLUMN "origin" text DEFAULT 'manual' NOT NULL;--> statement-breakpoint
ALTER TABLE "postel"."suppressions" ADD COLUMN "message_id" uuid;--> statement-breakpoint
ALTER TABLE "postel"."suppressions" ADD COLUMN "expires_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "postel"."invitations" ADD CONSTRAINT "invitations_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "postel"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."members" ADD CONSTRAINT "members_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "postel"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."members" ADD CONSTRAINT "members_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "postel"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."accounts" ADD CONSTRAINT "accounts_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "postel"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."passkeys" ADD CONSTRAINT "passkeys_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "postel"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."sessions" ADD CONSTRAINT "sessions_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "postel"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."two_factors" ADD CONSTRAINT "two_factors_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "postel"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."templates" ADD CONSTRAINT "templates_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "postel"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."templates" ADD CONSTRAINT "templates_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "postel"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."webhook_attempts" ADD CONSTRAINT "webhook_attempts_delivery_id_webhook_deliveries_id_fk" FOREIGN KEY ("delivery_id") REFERENCES "postel"."webhook_deliveries"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."webhook_deliveries" ADD CONSTRAINT "webhook_deliveries_webhook_id_webhooks_id_fk" FOREIGN KEY ("webhook_id") REFERENCES "postel"."webhooks"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."webhooks" ADD CONSTRAINT "webhooks_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "postel"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."webhooks" ADD CONSTRAINT "webhooks_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "postel"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "audit_log_organization_id_id" ON "postel"."audit_log" USING btree ("organization_id","id");--> statement-breakpoint
CREATE INDEX "invitations_organization_id" ON "postel"."invitations" USING btree ("organization_id");--> statement-breakpoint
CREATE INDEX "invitations_email" ON "postel"."invitations" USING btree ("email");--> statement-breakpoint
CREATE INDEX "members_user_id" ON "postel"."members" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "accounts_user_id" ON "postel"."accounts" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "passkeys_user_id" ON "postel"."passkeys" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "sessions_user_id" ON "postel"."sessions" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "two_factors_user_id" ON "postel"."two_factors" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "verifications_identifier" ON "postel"."verifications" USING btree ("identifier");--> statement-breakpoint
CREATE INDEX "request_logs_organization_id_id" ON "postel"."request_logs" USING btree ("organization_id","id");--> statement-breakpoint
CREATE INDEX "templates_project_id" ON "postel"."templates" USING btree ("project_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX "templates_alias_once" ON "postel"."templates" USING btree ("project_id","alias");--> statement-breakpoint
CREATE INDEX "quota_blocks_organization_id_month" ON "postel"."quota_blocks" USING btree ("organization_id","month");--> statement-breakpoint
CREATE INDEX "quota_blocks_expires_at" ON "postel"."quota_blocks" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "quota_uses_block_id" ON "postel"."quota_uses" USING btree ("block_id");--> statement-breakpoint
CREATE INDEX "rate_shares_used_at" ON "postel"."rate_shares" USING btree ("used_at");--> statement-breakpoint
CREATE INDEX "webhook_attempts_delivery_id" ON "postel"."webhook_attempts" USING btree ("delivery_id","id");--> statement-breakpoint
CREATE INDEX "webhook_deliveries_webhook_id_id" ON "postel"."webhook_deliveries" USING btree ("webhook_id","id");--> statement-breakpoint
CREATE INDEX "webhook_deliveries_due" ON "postel"."webhook_deliveries" USING btree ("webhook_id","next_attempt_at","id") WHERE "postel"."webhook_deliveries"."state" = 'pending';--> statement-breakpoint
CREATE INDEX "webhooks_organization_id" ON "postel"."webhooks" USING btree ("organization_id","id");--> statement-breakpoint
ALTER TABLE "postel"."api_keys" ADD CONSTRAINT "api_keys_domain_id_domains_id_fk" FOREIGN KEY ("domain_id") REFERENCES "postel"."domains"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."organizations" ADD CONSTRAINT "organizations_plan_id_plans_id_fk" FOREIGN KEY ("plan_id") REFERENCES "postel"."plans"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "postel"."suppressions" ADD CONSTRAINT "suppressions_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "postel"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "api_keys_organization_id" ON "postel"."api_keys" USING btree ("organization_id");--> statement-breakpoint
CREATE INDEX "deliveries_recipient" ON "postel"."deliveries" USING btree (hashtextextended(lower("recipient" collate "C"), 0),"message_id");--> statement-breakpoint
CREATE INDEX "domains_next_check_at" ON "postel"."domains" USING btree ("next_check_at");--> statement-breakpoint
CREATE INDEX "events_message_id" ON "postel"."events" USING btree ("message_id") WHERE "postel"."events"."type" not in ('accepted', 'queued', 'deferred', 'delivered');--> statement-breakpoint
CREATE INDEX "events_organization_id_type_message_id" ON "postel"."events" USING btree ("organization_id","type","message_id") WHERE "postel"."events"."type" not in ('accepted', 'queued', 'deferred', 'delivered');--> statement-breakpoint
CREATE INDEX "messages_sender" ON "postel"."messages" USING btree (hashtextextended(lower("envelope_from" collate "C"), uuid_hash_extended("project_id", 0)),"id");--> statement-breakpoint
CREATE INDEX "messages_subject" ON "postel"."messages" USING btree (hashtextextended(lower("subject" collate "C"), uuid_hash_extended("project_id", 0)),"id");--> statement-breakpoint
CREATE INDEX "messages_link_ref" ON "postel"."messages" USING btree (("details" ->> 'link_ref')) WHERE "postel"."messages"."details" ->> 'link_ref' is not null;--> statement-breakpoint
CREATE INDEX "operations_organization_id_id" ON "postel"."operations" USING btree ("organization_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX "projects_name_per_organization" ON "postel"."projects" USING btree ("organization_id","name") WHERE "postel"."projects"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "suppressions_organization_id_id" ON "postel"."suppressions" USING btree ("organization_id","id");--> statement-breakpoint
CREATE INDEX "suppressions_project_id_id" ON "postel"."suppressions" USING btree ("organization_id","project_id","id");--> statement-breakpoint
CREATE INDEX "suppressions_expires_at" ON "postel"."suppressions" USING btree ("expires_at") WHERE "postel"."suppressions"."expires_at" is not null;--> statement-breakpoint
CREATE INDEX "waiting_held" ON "postel"."waiting" USING btree ("project_id") WHERE "postel"."waiting"."state" = 'held';--> statement-breakpoint
CREATE INDEX "waiting_project_id_message_id" ON "postel"."waiting" USING btree ("project_id","message_id");--> statement-breakpoint
ALTER TABLE "postel"."suppressions" ADD CONSTRAINT "suppressions_address_once" UNIQUE NULLS NOT DISTINCT("organization_id","address","project_id");--> statement-breakpoint
ALTER TABLE "postel"."api_keys" ADD CONSTRAINT "api_keys_scope_valid" CHECK ("postel"."api_keys"."organization_id" is not null or "postel"."api_keys"."project_id" is null);--> statement-breakpoint
ALTER TABLE "postel"."messages" ADD CONSTRAINT "messages_source_valid" CHECK ("postel"."messages"."source" in ('smtp', 'rest', 'sql', 'report', 'system'));--> statement-breakpoint
ALTER TABLE "postel"."organizations" ADD CONSTRAINT "organizations_status_valid" CHECK ("postel"."organizations"."status" in ('active', 'no_sending', 'no_receiving', 'frozen'));--> statement-breakpoint
ALTER TABLE "postel"."organizations" ADD CONSTRAINT "organizations_monthly_recipients_valid" CHECK ("postel"."organizations"."monthly_recipients" >= 0);--> statement-breakpoint
ALTER TABLE "postel"."organizations" ADD CONSTRAINT "organizations_recipients_per_second_valid" CHECK ("postel"."organizations"."recipients_per_second" > 0);--> statement-breakpoint
ALTER TABLE "postel"."projects" ADD CONSTRAINT "projects_retention_days_positive" CHECK ("postel"."projects"."retention_days" > 0);--> statement-breakpoint
ALTER TABLE "postel"."projects" ADD CONSTRAINT "projects_body_retention_days_valid" CHECK ("postel"."projects"."body_retention_days" >= 0);--> statement-breakpoint
ALTER TABLE "postel"."projects" ADD CONSTRAINT "projects_recipients_per_second_valid" CHECK ("postel"."projects"."recipients_per_second" > 0);--> statement-breakpoint
ALTER TABLE "postel"."suppressions" ADD CONSTRAINT "suppressions_origin_valid" CHECK ("postel"."suppressions"."origin" in ('bounce', 'complaint', 'unsubscribe', 'manual', 'import'));--> statement-breakpoint
-- drizzle does not know partitions
drop table "postel"."message_tags";
--> statement-breakpoint
create table "postel"."message_tags" (
  "project_id" uuid not null,
  "tag" text not null,
  "message_id" uuid not null,
  constraint "message_tags_pkey" primary key ("project_id", "tag", "message_id")
) partition by range ("message_id");
