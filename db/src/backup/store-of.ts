/** The storage that BACKUP_S3_* names. */
import type { backupStoreSettings } from '@postel/runtime/settings'
import type { z } from 'zod'
import { ObjectStore } from './object-store.ts'

export type StoreConfig = z.infer<z.ZodObject<typeof backupStoreSettings>>

export function storeOf(config: StoreConfig, signal?: AbortSignal): ObjectStore {
  return new ObjectStore({
    endpoint: config.BACKUP_S3_ENDPOINT,
    bucket: config.BACKUP_S3_BUCKET,
    region: config.BACKUP_S3_REGION,
    accessKeyId: config.BACKUP_S3_ACCESS_KEY_ID,
    secretAccessKey: config.BACKUP_S3_SECRET_ACCESS_KEY,
    pathStyle: config.BACKUP_S3_PATH_STYLE,
    ...(signal && { signal }),
  })
}
