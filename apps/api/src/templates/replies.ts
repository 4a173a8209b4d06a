/** What the endpoints of templates answer, in Resend's shapes. */
import type { Template, TemplateSummary } from '@postel/db/queries/templates'
import { z } from 'zod'
import { id, listOf, time } from '../shapes.ts'

const summary = {
  id,
  name: z.string(),
  alias: z.string().nullable(),
  status: z.enum(['draft', 'published']),
  created_at: time,
  updated_at: time,
  published_at: time.nullable(),
}

const variable = z.object({
  key: z.string(),
  type: z.enum(['string', 'number']),
  fallback_value: z.union([z.string(), z.number()]).nullable(),
  created_at: time,
  updated_at: time,
})

export const templateReply = z
  .object({
    object: z.literal('template'),
    ...summary,
    from: z.string().nullable(),
    subject: z.string().nullable(),
    reply_to: z.array(z.string()).nullable(),
    html: z.string(),
    text: z.string().nullable(),
    variables: z.array(variable).nullable(),
    has_unpublished_versions: z.boolean().meta({ description: 'What is sent is not what is shown here.' }),
    current_version_id: id,
  })
  .meta({ id: 'Template' })

export const templatesReply = listOf(z.object(summary)).meta({ id: 'Templates' })

export const changedTemplateReply = z
  .object({ object: z.literal('template'), id })
  .meta({ id: 'ChangedTemplate' })

export const deletedTemplateReply = changedTemplateReply
  .extend({ deleted: z.literal(true) })
  .meta({ id: 'DeletedTemplate' })

export function showTemplateSummary(template: TemplateSummary) {
  const { id, name, alias, status, createdAt, updatedAt, publishedAt } = template
  return {
    id,
    name,
    alias,
    status,
    created_at: createdAt,
    updated_at: updatedAt,
    published_at: publishedAt,
  }
}

/** The draft. */
export function showTemplate(template: Template) {
  const { version, variables, ...content } = template.draft
  return {
    object: 'template' as const,
    ...showTemplateSummary(template),
    ...content,
    variables: variables.length > 0 ? variables : null,
    has_unpublished_versions: template.published?.version !== version,
    current_version_id: version,
  }
}
