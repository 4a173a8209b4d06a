/** The corpus: what halfOf() divides. */
import type { LabelledReply } from './corpus.ts'
import { filtersAndHosts } from './filters-and-hosts.ts'
import { mailServers } from './mail-servers.ts'
import { mailboxProviders } from './mailbox-providers.ts'
import { networkProviders } from './network-providers.ts'

export const corpus: readonly LabelledReply[] = [
  ...mailboxProviders,
  ...networkProviders,
  ...filtersAndHosts,
  ...mailServers,
]
