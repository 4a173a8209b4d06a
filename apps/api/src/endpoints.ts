/** Every endpoint of the API. */
import { apiKeyEndpoints } from './api-keys/endpoints.ts'
import { auditLogEndpoints } from './audit-log/endpoints.ts'
import type { ApiContext } from './context.ts'
import { domainEndpoints } from './domains/endpoints.ts'
import { emailEndpoints } from './emails/endpoints.ts'
import type { Endpoint } from './endpoint.ts'
import { ipEndpoints } from './ips/endpoints.ts'
import { logEndpoints } from './logs/endpoints.ts'
import { memberEndpoints } from './members/endpoints.ts'
import { metricsEndpoints } from './metrics/endpoints.ts'
import { moderationEndpoints } from './moderation/endpoints.ts'
import { organizationEndpoints } from './organizations/endpoints.ts'
import { peopleEndpoints } from './people/endpoints.ts'
import { planEndpoints } from './plans/endpoints.ts'
import { poolEndpoints } from './pools/endpoints.ts'
import { privacyEndpoints } from './privacy/endpoints.ts'
import { projectEndpoints } from './projects/endpoints.ts'
import { queueEndpoints } from './queue/endpoints.ts'
import { ruleEndpoints } from './rules/endpoints.ts'
import { sandboxEndpoints } from './sandbox/endpoints.ts'
import { smtpCredentialEndpoints } from './smtp-credentials/endpoints.ts'
import { suppressionEndpoints } from './suppressions/endpoints.ts'
import { suspensionEndpoints } from './suspensions/endpoints.ts'
import { templateEndpoints } from './templates/endpoints.ts'
import { trackingEndpoints } from './tracking/endpoints.ts'
import { unsubscribeEndpoints } from './unsubscribe/endpoints.ts'
import { usageEndpoints } from './usage/endpoints.ts'
import { webhookEndpoints } from './webhooks/endpoints.ts'

export function allEndpoints(context: ApiContext): Endpoint[] {
  return [
    ...emailEndpoints(context),
    ...metricsEndpoints(context),
    ...templateEndpoints(context),
    ...logEndpoints(context),
    ...domainEndpoints(context),
    ...sandboxEndpoints(context),
    ...apiKeyEndpoints(context),
    ...smtpCredentialEndpoints(context),
    ...projectEndpoints(context),
    ...auditLogEndpoints(context),
    ...organizationEndpoints(context),
    ...memberEndpoints(context),
    ...peopleEndpoints(context),
    ...suppressionEndpoints(context),
    ...unsubscribeEndpoints(context),
    ...trackingEndpoints(context),
    ...poolEndpoints(context),
    ...ipEndpoints(context),
    ...queueEndpoints(context),
    ...suspensionEndpoints(context),
    ...ruleEndpoints(context),
    ...webhookEndpoints(context),
    ...usageEndpoints(context),
    ...planEndpoints(context),
    ...moderationEndpoints(context),
    ...privacyEndpoints(context),
  ]
}
