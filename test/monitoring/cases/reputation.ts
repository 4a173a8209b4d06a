/** When each alert of the group reputation fires, and when it does not. */
import { type AlertCase, always, deliveries, fromIp, growing } from './series.ts'

export const reputation: Record<string, AlertCase> = {
  PostelBouncesHigh: {
    series: { ...fromIp('delivered', 'none', 90), ...fromIp('bounced', 'invalid_recipient', 10) },
    at: 17,
    labels: { ip: '192.0.2.1' },
    says: '10% of the recipients tried from 192.0.2.1 in the last hour bounced; providers act at 5 to 10%.',
    quiet: {
      '2%': { ...fromIp('delivered', 'none', 98), ...fromIp('bounced', 'invalid_recipient', 2) },
      'one of one': fromIp('bounced', 'invalid_recipient', 0.5),
    },
  },
  PostelBouncesVeryHigh: {
    series: { ...fromIp('delivered', 'none', 60), ...fromIp('bounced', 'policy', 20) },
    at: 12,
    labels: { ip: '192.0.2.1' },
    says: '25% of the recipients tried from 192.0.2.1 in the last hour bounced.',
    quiet: { '10%': { ...fromIp('delivered', 'none', 90), ...fromIp('bounced', 'policy', 10) } },
  },
  PostelReputationRefusals: {
    series: {
      ...fromIp('delivered', 'none', 80),
      ...fromIp('deferred', 'reputation', 10),
      ...fromIp('bounced', 'spam', 10),
    },
    at: 17,
    labels: { ip: '192.0.2.1' },
    says: '20% of the recipients tried from 192.0.2.1 in the last hour were refused or deferred as spam or for the reputation of the IP.',
    quiet: {
      'other reasons': { ...fromIp('delivered', 'none', 60), ...fromIp('deferred', 'greylisting', 40) },
    },
  },
  PostelComplaintsHigh: {
    series: {
      'postel_incoming_total{app="inbound",kind="complaint",result="recorded"}': growing(1),
      ...deliveries('delivered', 100),
    },
    at: 20,
    labels: {},
    says: '1% of the mail delivered in a day was reported as spam; Google and Yahoo want less than 0.1%.',
    quiet: {
      'one in two thousand': {
        'postel_incoming_total{app="inbound",kind="complaint",result="recorded"}': growing(1),
        ...deliveries('delivered', 2000),
      },
      'of mail that we do not know': {
        'postel_incoming_total{app="inbound",kind="complaint",result="unknown"}': growing(1),
        ...deliveries('delivered', 100),
      },
    },
  },
  PostelOrganizationStopped: {
    series: { 'postel_organizations_stopped_total{app="worker"}': '0x5 1x100' },
    at: 6,
    labels: {},
    says: '1 organizations were stopped in the last hour because their mail ended badly.',
    quiet: { none: { 'postel_organizations_stopped_total{app="worker"}': always(3) } },
  },
}
