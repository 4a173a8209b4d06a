/** Traces by OpenTelemetry's SDK, sent to a collector by OTLP over HTTP. Loaded only where there is one: see tracing.ts. */
import {
  type Context,
  type Span as OtelSpan,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { withDeadline } from './health.ts'
import type { Span, SpanEnd, SpanOptions, Tracing } from './tracing.ts'

export type OtlpOptions = {
  /** The collector; spans go to /v1/traces below it. */
  endpoint: string
  headers: Readonly<Record<string, string>>
  /** Share of traces that are taken, 0 to 1. */
  ratio: number
}

const sendEveryMs = 1_000
const stopWithinMs = 3_000
const kinds = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  internal: SpanKind.INTERNAL,
  consumer: SpanKind.CONSUMER,
}

export class OtlpTracing implements Tracing {
  readonly #provider: TracerProvider
  readonly #tracer: Tracer

  constructor(service: string, { endpoint, headers, ratio }: OtlpOptions) {
    const exporter = new OTLPTraceExporter({
      url: `${endpoint.replace(/\/+$/, '')}/v1/traces`,
      headers: { ...headers },
    })
    const share = new TraceIdRatioBasedSampler(ratio)
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({
        'service.name': `postel-${service}`,
        'service.namespace': 'postel',
      }),
      // Clients do not decide how much is traced; by the trace's id all processes decide alike
      sampler: new ParentBasedSampler({ root: share, remoteParentSampled: share }),
      spanProcessors: [new BatchSpanProcessor({ exporter, scheduledDelayMillis: sendEveryMs })],
    })
    this.#tracer = this.#provider.getTracer('postel')
  }

  start(name: string, { kind, parent, attributes = {}, startedAt }: SpanOptions): Span {
    const options = {
      kind: kinds[kind],
      attributes,
      ...(startedAt !== undefined && { startTime: startedAt }),
    }
    return new OtlpSpan(this.#tracer.startSpan(name, options, contextOf(parent)))
  }

  async stop(): Promise<void> {
    // A collector that is away keeps no process from its end
    await withDeadline(this.#provider.shutdown(), stopWithinMs).catch(() => {})
  }
}

class OtlpSpan implements Span {
  readonly #span: OtelSpan

  constructor(span: OtelSpan) {
    this.#span = span
  }

  get traceparent(): string | undefined {
    const { traceId, spanId, traceFlags } = this.#span.spanContext()
    return (traceFlags & TraceFlags.SAMPLED) === 0 ? undefined : `00-${traceId}-${spanId}-01`
  }

  end({ name, attributes, failed, at }: SpanEnd = {}): void {
    if (name !== undefined) this.#span.updateName(name)
    if (attributes) this.#span.setAttributes(attributes)
    if (failed !== undefined) this.#span.setStatus({ code: SpanStatusCode.ERROR, message: failed })
    this.#span.end(at)
  }
}

/** W3C Trace Context, version 00 and what may follow it. */
const wellFormed = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/

function contextOf(traceparent: string | undefined): Context {
  const [, traceId, spanId, flags] = wellFormed.exec(traceparent ?? '') ?? []
  if (traceId === undefined) return ROOT_CONTEXT
  const traceFlags = Number.parseInt(flags!, 16) & TraceFlags.SAMPLED
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId: spanId!, traceFlags, isRemote: true })
}
