/** What the queries of this dashboard share. */
import { scope, shareOf } from '../dashboard.ts'

/** Matchers for the source IPs that were chosen. */
export const chosen = `${scope},ip=~"$ip"`

/** By IP, how much of the tries has the matcher `part`. */
export const share = (part: string, window?: string) =>
  shareOf('postel_deliveries_by_ip_total', { of: chosen, part, by: 'ip', ...(window && { window }) })
