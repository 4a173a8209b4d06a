/** POST /domains/{id}/dkim/rotate: new keys, which take over once DNS shows them. */
import { addDkimKeys, findDomain } from '@postel/db/queries/domains'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { uuidPath } from '../paging.ts'
import { newKeys } from './dkim-keys.ts'
import { domainReply } from './replies.ts'
import { noDomain, notOfItsProject, ownerOf, showDomain } from './show-domain.ts'

export const rotateDkim = ({ sql, secretBox, domainHosts }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/domains/{id}/dkim/rotate',
    id: 'rotateDkimKeys',
    tag: 'Domains',
    summary: 'Make new DKIM keys',
    description:
      'The domain then has the records of the old and the new keys. The old ones sign until DNS shows the new ones, and should stay in DNS for a week after that.',
    access: 'write',
    params: uuidPath,
    reply: domainReply,
    problems: [403, 404],
    serve: async ({ caller, params: { id } }) => {
      const owner = ownerOf(caller)
      const domain = await findDomain(sql, owner, id)
      if (!domain) throw noDomain()
      const keys = await newKeys(domain.name, secretBox)
      if (!(await addDkimKeys(sql, owner, id, keys, 'domain.dkim_rotated', caller.actor)))
        throw notOfItsProject()
      const rotated = await findDomain(sql, owner, id)
      if (!rotated) throw noDomain()
      return showDomain(rotated, domainHosts)
    },
  })
