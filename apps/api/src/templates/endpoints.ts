/** /templates: mail with variables, edited as a draft and sent as published. */
import {
  createTemplate,
  deleteTemplate,
  findTemplate,
  listTemplates,
  publishTemplate,
  type Template,
  updateTemplate,
} from '@postel/db/queries/templates'
import { z } from 'zod'
import { type Caller, projectOf, tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { idOrName } from '../fields.ts'
import { oneCursor, uuidPage } from '../paging.ts'
import { Problem } from '../problem.ts'
import { inConflict, orRefuse } from '../refusals.ts'
import {
  changedTemplateReply,
  deletedTemplateReply,
  showTemplate,
  showTemplateSummary,
  templateReply,
  templatesReply,
} from './replies.ts'
import { changedDraft, createBody, updateBody } from './template-request.ts'

const tag = 'Templates'
const path = z.object({ template: idOrName.meta({ description: 'The id or the alias.' }) })
const aliasTaken = { duplicate: 'A template of this project has this alias.' }

export function templateEndpoints({ sql }: ApiContext): Endpoint[] {
  const read = async (caller: Caller, idOrAlias: string): Promise<Template> => {
    const template = await findTemplate(sql, tenantOf(caller), idOrAlias)
    if (!template) throw noTemplate()
    return template
  }
  const by = (caller: Caller) => ({ tenant: tenantOf(caller), actor: caller.actor })

  return [
    endpoint({
      method: 'post',
      path: '/templates',
      id: 'createTemplate',
      tag,
      summary: 'Create a template',
      description: 'It is a draft: it can be sent once it is published.',
      access: 'write',
      body: createBody,
      reply: changedTemplateReply,
      problems: [409],
      serve: async ({ caller, body }) => {
        const { name, alias = null } = body
        const template = { name, alias, draft: changedDraft(body) }
        const by = { tenant: projectOf(caller), actor: caller.actor }
        return { object: 'template', id: await orRefuse(createTemplate(sql, by, template), aliasTaken) }
      },
    }),
    endpoint({
      method: 'get',
      path: '/templates',
      id: 'listTemplates',
      tag,
      summary: 'List templates, newest first',
      access: 'read',
      query: uuidPage,
      reply: templatesReply,
      serve: async ({ caller, query }) => {
        const page = await listTemplates(sql, tenantOf(caller), oneCursor(query))
        return { object: 'list', has_more: page.hasMore, data: page.rows.map(showTemplateSummary) }
      },
    }),
    endpoint({
      method: 'get',
      path: '/templates/{template}',
      id: 'getTemplate',
      tag,
      summary: 'Get a template',
      description: 'Its draft, which may differ from what is sent: see has_unpublished_versions.',
      access: 'read',
      params: path,
      reply: templateReply,
      problems: [404],
      serve: async ({ caller, params }) => showTemplate(await read(caller, params.template)),
    }),
    endpoint({
      method: 'patch',
      path: '/templates/{template}',
      id: 'updateTemplate',
      tag,
      summary: 'Change the draft of a template',
      access: 'write',
      params: path,
      body: updateBody,
      reply: changedTemplateReply,
      problems: [404, 409],
      serve: async ({ caller, params, body }) => {
        const { id, name, alias, draft } = await read(caller, params.template)
        const change = {
          former: draft.version,
          name: body.name ?? name,
          alias: body.alias === undefined ? alias : body.alias,
          draft: changedDraft(body, draft),
        }
        if (!(await orRefuse(updateTemplate(sql, by(caller), id, change), aliasTaken)))
          throw inConflict('Somebody else has changed this template just now. Read it again.')
        return { object: 'template', id }
      },
    }),
    endpoint({
      method: 'delete',
      path: '/templates/{template}',
      id: 'deleteTemplate',
      tag,
      summary: 'Delete a template',
      access: 'write',
      params: path,
      reply: deletedTemplateReply,
      problems: [404],
      serve: async ({ caller, params }) => {
        const { id } = await read(caller, params.template)
        if (!(await deleteTemplate(sql, by(caller), id))) throw noTemplate()
        return { object: 'template', id, deleted: true }
      },
    }),
    endpoint({
      method: 'post',
      path: '/templates/{template}/publish',
      id: 'publishTemplate',
      tag,
      summary: 'Send the draft from now on',
      access: 'write',
      params: path,
      reply: changedTemplateReply,
      problems: [404],
      serve: async ({ caller, params }) => {
        const { id } = await read(caller, params.template)
        if (!(await publishTemplate(sql, by(caller), id))) throw noTemplate()
        return { object: 'template', id }
      },
    }),
    endpoint({
      method: 'post',
      path: '/templates/{template}/duplicate',
      id: 'duplicateTemplate',
      tag,
      summary: 'Make a draft of the same text',
      access: 'write',
      params: path,
      reply: changedTemplateReply,
      problems: [404],
      serve: async ({ caller, params }) => {
        const { name, projectId, draft } = await read(caller, params.template)
        const copy = { name: `${name.slice(0, 90)} (copy)`, alias: null, draft: changedDraft({}, draft) }
        const tenant = { ...tenantOf(caller), projectId }
        return { object: 'template', id: await createTemplate(sql, { tenant, actor: caller.actor }, copy) }
      },
    }),
  ]
}

const noTemplate = () => new Problem('not_found', 'Template not found.')
