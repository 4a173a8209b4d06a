/** An email that names a template, as the email that it stands for. */
import type { Sql } from '@postel/db/client'
import type { Tenant } from '@postel/db/queries/emails'
import { findTemplate } from '@postel/db/queries/templates'
import type { EmailRequest, GivenEmail } from '../emails/email-request.ts'
import { fieldProblem, Problem } from '../problem.ts'
import { fill, VariableError } from './variables.ts'

/** What the email itself has goes before what the template has. Throws a Problem of 422. */
export async function fillTemplate(sql: Sql, tenant: Tenant, given: GivenEmail): Promise<EmailRequest> {
  const { template: named, ...email } = given
  if (named === undefined) return complete(email)
  const template = await findTemplate(sql, tenant, named.id)
  const published = template?.published
  if (!published)
    throw fieldProblem({
      field: 'template.id',
      problem: template ? 'This template is not published yet.' : 'There is no such template.',
    })
  const { from, subject, reply_to, html, text, variables } = published
  try {
    const filled = fill({ subject: email.subject ?? subject, html, text }, variables, named.variables ?? {})
    return complete({
      ...email,
      ...((email.from ?? from) !== null && { from: email.from ?? from! }),
      ...(filled.subject !== null && { subject: filled.subject }),
      ...((email.reply_to ?? reply_to) !== null && { reply_to: email.reply_to ?? reply_to! }),
      html: filled.html,
      ...(filled.text !== null && { text: filled.text }),
    })
  } catch (error) {
    if (error instanceof VariableError) throw new Problem('validation_error', error.message)
    throw error
  }
}

function complete(email: Omit<GivenEmail, 'template'>): EmailRequest {
  const { from, subject } = email
  if (from === undefined) throw new Problem('missing_required_field', 'Missing `from` field.')
  if (subject === undefined) throw new Problem('missing_required_field', 'Missing `subject` field.')
  return { ...email, from, subject }
}
