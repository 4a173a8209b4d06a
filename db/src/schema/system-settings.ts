/** system_settings: what the apps tell each other about this installation. Written by api at its start, and by hold_all. */
import { text } from 'drizzle-orm/pg-core'
import { postel } from './columns.ts'

export const systemSettings = postel.table('system_settings', {
  /**
   * mail_from: the sender of system mail, `Name <local@domain>`. mail_project: the id of the project it leaves through.
   * webhooks_wait_before: deliveries to webhooks of earlier events wait for release_all.
   */
  key: text().primaryKey(),
  value: text().notNull(),
})
