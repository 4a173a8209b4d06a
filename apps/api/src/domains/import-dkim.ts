/** POST /domains/{id}/dkim/import: a key that the domain has in DNS already. */
import { addDkimKeys, findDomain } from '@postel/db/queries/domains'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { uuidPath } from '../paging.ts'
import { bodyOf } from '../parse-with.ts'
import { fieldProblem } from '../problem.ts'
import { importedKey } from './dkim-keys.ts'
import { importDkimRequest } from './domain-request.ts'
import { domainReply } from './replies.ts'
import { noDomain, notOfItsProject, ownerOf, showDomain } from './show-domain.ts'

export const importDkim = ({ sql, secretBox, domainHosts }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/domains/{id}/dkim/import',
    id: 'importDkimKey',
    tag: 'Domains',
    summary: 'Import a DKIM key',
    description:
      'It signs once DNS shows it. Others may have it too, so the domain is proved by its ownership record. RSA keys of 1024 bits are taken; 2048 are advised.',
    access: 'write',
    params: uuidPath,
    body: bodyOf(importDkimRequest),
    reply: domainReply,
    problems: [403, 404],
    serve: async ({ caller, params: { id }, body }) => {
      const owner = ownerOf(caller)
      const domain = await findDomain(sql, owner, id)
      if (!domain) throw noDomain()
      const key = importedKey(body.selector, body.private_key, domain.name, secretBox)
      const added = await addDkimKeys(sql, owner, id, [key], 'domain.dkim_imported', caller.actor)
      if (!added) throw notOfItsProject()
      if (added === 'taken')
        throw fieldProblem({ field: 'selector', problem: 'The domain has a key of this selector already.' })
      const changed = await findDomain(sql, owner, id)
      if (!changed) throw noDomain()
      return showDomain(changed, domainHosts)
    },
  })
