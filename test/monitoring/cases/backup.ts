/** When each alert of the group backup fires, and when it does not. */
import { type AlertCase, always } from './series.ts'

export const backup: Record<string, AlertCase> = {
  PostelBackupTooOld: {
    series: { 'postel_backup_last_success_timestamp_seconds{app="worker"}': always(0) },
    at: 26 * 60 + 6,
    labels: {},
    says: 'It ended 1d 2h 6m 0s ago.',
    quiet: {
      'one of this night': { 'postel_backup_last_success_timestamp_seconds{app="worker"}': always(40_000) },
    },
  },
  PostelBackupNever: {
    series: { 'postel_database_collector_up{app="worker",collector="backups"}': always(1) },
    at: 26 * 60,
    labels: {},
    says: 'The database has been watched for 26 hours and has no backup.',
    quiet: {
      'there is one': {
        'postel_database_collector_up{app="worker",collector="backups"}': always(1),
        'postel_backup_last_success_timestamp_seconds{app="worker"}': always(40_000),
      },
      'nobody knows': { 'postel_database_collector_up{app="worker",collector="backups"}': always(0) },
    },
  },
  PostelBackupFailed: {
    series: { 'postel_backup_last_attempt_success{app="worker"}': always(0) },
    at: 5,
    labels: {},
    says: 'The run ended with an error; the alarm becomes critical when the last good one is older than 26 hours.',
    quiet: { 'it was good': { 'postel_backup_last_attempt_success{app="worker"}': always(1) } },
  },
}
