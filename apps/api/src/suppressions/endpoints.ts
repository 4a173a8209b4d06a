/** /suppressions: addresses that get no mail any more. */
import type { ApiContext } from '../context.ts'
import type { Endpoint } from '../endpoint.ts'
import { addSuppression, addSuppressions } from './add-suppressions.ts'
import { exportSuppressions } from './export-csv.ts'
import { importSuppressions } from './import-csv.ts'
import { getSuppression, listSuppressions } from './read-suppressions.ts'
import { removeSuppression, removeSuppressions } from './remove-suppressions.ts'

export function suppressionEndpoints(context: ApiContext): Endpoint[] {
  return [
    addSuppression(context),
    listSuppressions(context),
    getSuppression(context),
    removeSuppression(context),
    addSuppressions(context),
    removeSuppressions(context),
    exportSuppressions(context),
    importSuppressions(context),
  ]
}
