DROP INDEX "postel"."waiting_held";--> statement-breakpoint
DROP INDEX "postel"."events_organization_id_type_message_id";--> statement-breakpoint
CREATE INDEX "events_organization_id_type_message_id" ON "postel"."events" USING btree ("organization_id","type","message_id") WHERE "postel"."events"."type" not in ('accepted', 'queued', 'deferred', 'delivered', 'held', 'released');