/** GET /emails/metrics: how much was sent, and what became of it. */
import { sqlState } from '@postel/db/errors'
import {
  type Counts,
  counts,
  type Edge,
  type MetricsRow,
  readEmailMetrics,
  readMetrics,
  resolveRange,
} from '@postel/db/queries/metrics'
import { z } from 'zod'
import 'zod-openapi'
import { tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { Problem } from '../problem.ts'
import { id } from '../shapes.ts'

const rates = {
  delivery_rate: ['delivered', 'sent'],
  bounce_rate: ['bounced', 'sent'],
  open_rate: ['unique_opened', 'delivered'],
  click_rate: ['unique_clicked', 'delivered'],
  complaint_rate: ['complained', 'delivered'],
  unsubscribe_rate: ['unsubscribed', 'delivered'],
} as const satisfies Record<string, readonly [keyof Counts, keyof Counts]>

const metricNames = [
  'received',
  ...counts,
  'bounced_undetermined',
  ...(Object.keys(rates) as (keyof typeof rates)[]),
] as const
type Metric = (typeof metricNames)[number]

const dimensionNames = ['period', 'domain', 'email'] as const
const granularities = { hourly: 'hour', daily: 'day', weekly: 'week', monthly: 'month' } as const
/** Longer ranges have to be asked for in parts. */
const daysMax = { hourly: 31, daily: 400, weekly: 400, monthly: 400 }
const idsMax = 100

const edge = z
  .union([z.iso.date(), z.iso.datetime({ offset: true })], {
    error: 'must be an ISO 8601 date, or a time with a time zone.',
  })
  .refine((value) => !value.startsWith('0000'), { error: 'must be a date of our era.' })
  .transform((value): Edge => (value.length === 10 ? { day: value } : { moment: new Date(value) }))
  .meta({ override: { type: 'string' }, example: '2026-11-21' })

const parts = z
  .string({ error: 'must be given once, with commas.' })
  .transform((value) => [...new Set(value.split(','))])
const asText = { override: { type: 'string' } } as const

const ids = parts
  .pipe(
    z
      .array(z.guid({ error: 'must be ids, with commas.' }).toLowerCase())
      .max(idsMax, { error: `must have at most ${idsMax} ids.` }),
  )
  .meta(asText)
  .optional()
const metricList = parts
  .pipe(z.array(z.enum(metricNames, { error: 'must be names of metrics, with commas.' })))
  .meta({ ...asText, example: 'sent,delivered,delivery_rate' })
const dimensionList = parts
  .pipe(z.array(z.enum(dimensionNames, { error: 'must be of period, domain, email.' })))
  .meta({ ...asText, example: 'period,domain' })

const query = z.object({
  start_date: edge.optional().meta({ description: 'Default: 6 days before end_date.' }),
  end_date: edge.optional().meta({ description: 'A date means to its end. Default: now.' }),
  timezone: z
    .string({ error: 'must be given once.' })
    .refine(isTimeZone, { error: 'must be an IANA time zone, like Europe/Zurich.' })
    .default('UTC'),
  granularity: z
    .enum(Object.keys(granularities) as (keyof typeof granularities)[], {
      error: 'must be hourly, daily, weekly or monthly.',
    })
    .default('daily'),
  metrics: metricList.optional().meta({ description: 'Default: all.' }),
  dimensions: dimensionList.optional(),
  domain_id: ids.meta({ description: 'Only mail of these domains.' }),
  email_id: ids.meta({
    description:
      'Only these emails, whenever it happened. Required with the dimension email; not with period.',
  }),
})

const figures = z.object(
  Object.fromEntries(metricNames.map((name) => [name, z.number()])) as Record<Metric, z.ZodNumber>,
)

const metricsReply = z
  .object({
    object: z.literal('metrics'),
    start_date: z.iso.datetime(),
    end_date: z.iso.datetime(),
    metrics: z.array(z.enum(metricNames)),
    dimensions: z.array(z.enum(dimensionNames)),
    granularity: z.enum(['hourly', 'daily', 'weekly', 'monthly']),
    totals: figures.partial(),
    data: z
      .array(
        figures.partial().extend({
          period: z.string().optional(),
          domain_id: id.optional(),
          domain_name: z.string().optional(),
          email_id: id.optional(),
        }),
      )
      .optional()
      .meta({ description: 'With dimensions only. A period in which nothing happened is left out.' }),
  })
  .meta({ id: 'EmailMetrics' })

export function metricsEndpoints({ sql }: ApiContext): Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/emails/metrics',
      id: 'getEmailMetrics',
      tag: 'Emails',
      summary: 'Count what became of emails',
      description:
        'Counts are of recipients, at the moment when it happened, within a minute or so. sent: accepted and not suppressed. Of sent are delivery_rate and bounce_rate, of delivered the other rates. Delivery reports and mail of test keys are not counted.',
      access: 'read',
      query,
      reply: metricsReply,
      serve: async ({ caller, query }) => {
        const tenant = tenantOf(caller)
        const {
          granularity,
          timezone: timeZone,
          dimensions = [],
          metrics = [...metricNames],
          email_id,
        } = query
        const byEmail = dimensions.includes('email')
        if (byEmail && email_id === undefined)
          throw new Problem(
            'missing_required_field',
            'Name the emails in `email_id` for the dimension email.',
          )
        if (email_id !== undefined && dimensions.includes('period'))
          throw new Problem('invalid_parameter', 'The dimension period does not go with `email_id`.')

        const range = await resolveRange(
          sql,
          { from: query.start_date ?? null, to: query.end_date ?? { moment: new Date() } },
          timeZone,
        ).catch((error: unknown) => {
          if (sqlState(error)?.startsWith('22'))
            throw new Problem('validation_error', 'The range or its `timezone` is not one that can be used.')
          throw error
        })
        if (range.from >= range.to)
          throw new Problem('validation_error', 'The `start_date` must be before the `end_date`.')
        if (range.to.getTime() - range.from.getTime() > daysMax[granularity] * 86_400_000)
          throw new Problem(
            'validation_error',
            `The range must be at most ${daysMax[granularity]} days for ${granularity} figures.`,
          )

        const byDomain = dimensions.includes('domain')
        const rows =
          email_id === undefined
            ? await readMetrics(sql, tenant, {
                ...range,
                timeZone,
                granularity: granularities[granularity],
                byPeriod: dimensions.includes('period'),
                byDomain,
                domainIds: query.domain_id ?? null,
              })
            : (await readEmailMetrics(sql, tenant, email_id)).filter(
                ({ domainId }) =>
                  query.domain_id === undefined || (domainId !== null && query.domain_id.includes(domainId)),
              )
        return {
          object: 'metrics',
          start_date: range.from.toISOString(),
          end_date: range.to.toISOString(),
          metrics,
          dimensions,
          granularity,
          totals: chosen(sum(rows), metrics),
          ...(dimensions.length > 0 && {
            data: grouped(rows, byEmail, byDomain).map((row) => ({
              ...(row.period !== null && { period: shownPeriod(row.period, granularity) }),
              ...(byDomain && row.domainId !== null && { domain_id: row.domainId }),
              ...(byDomain && row.domain !== null && { domain_name: row.domain }),
              ...(byEmail && row.emailId !== null && { email_id: row.emailId }),
              ...chosen(row, metrics),
            })),
          }),
        }
      },
    }),
  ]
}

/** Rows of emails that are not to be told apart become those of their domains. */
function grouped(rows: readonly MetricsRow[], byEmail: boolean, byDomain: boolean): MetricsRow[] {
  if (byEmail || rows.every(({ emailId }) => emailId === null)) return [...rows]
  const groups = Map.groupBy(rows, ({ domain }) => (byDomain ? domain : null))
  return [...groups.values()].map((group) => ({ ...group[0]!, ...sum(group) }))
}

function sum(rows: readonly Counts[]): Counts {
  return Object.fromEntries(
    counts.map((name) => [name, rows.reduce((total, row) => total + row[name], 0)]),
  ) as Counts
}

function chosen(row: Counts, metrics: readonly Metric[]): Partial<Record<Metric, number>> {
  return Object.fromEntries(metrics.map((name) => [name, figure(row, name)]))
}

function figure(row: Counts, name: Metric): number {
  if (name === 'received') return 0
  if (name === 'bounced_undetermined') return row.bounced - row.bounced_permanent - row.bounced_transient
  if (!(name in rates)) return row[name as keyof Counts]
  const [part, whole] = rates[name as keyof typeof rates]
  return row[whole] === 0 ? 0 : Math.round((row[part] / row[whole]) * 1e6) / 1e6
}

function shownPeriod(period: string, granularity: keyof typeof granularities): string {
  return granularity === 'hourly' ? period : period.slice(0, 10)
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return /^[A-Za-z]/.test(name)
  } catch {
    return false
  }
}
