/**
 * Traces in the form of OpenTelemetry, off unless a collector is configured: then nothing of it is loaded, and nobody has a
 * Tracing to ask. A message carries the context of its submission (W3C Trace Context) with it, so that its deliveries belong to
 * the same trace, whenever and wherever they are made.
 */
import type { TracingConfig } from './settings.ts'

export type Attributes = Record<string, string | number | boolean | undefined>

export type SpanOptions = {
  kind: 'server' | 'client' | 'internal' | 'consumer'
  /** The traceparent of what it is part of; without one, or with one that is malformed, it begins a trace. */
  parent?: string | undefined
  attributes?: Attributes
  /** Milliseconds since 1970. Default: now. */
  startedAt?: number
}

export type SpanEnd = {
  /** Instead of the name it began with. */
  name?: string
  attributes?: Attributes
  /** Why it failed. */
  failed?: string | undefined
  /** Milliseconds since 1970. Default: now. */
  at?: number
}

export type Span = {
  /** What its parts name as their parent; undefined when the trace is not taken. */
  readonly traceparent: string | undefined
  end(options?: SpanEnd): void
}

export type Tracing = {
  start(name: string, options: SpanOptions): Span
  /** Sends what is left, or gives up after 3 s. */
  stop(): Promise<void>
}

/** Undefined without a collector. `service`: the app. */
export async function startTracing(service: string, config: TracingConfig): Promise<Tracing | undefined> {
  if (config.OTEL_EXPORTER_OTLP_ENDPOINT === undefined) return undefined
  const { OtlpTracing } = await import('./otlp-tracing.ts')
  return new OtlpTracing(service, {
    endpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT,
    headers: Object.fromEntries(config.OTEL_EXPORTER_OTLP_HEADERS.map((pair) => pair.split(/=(.*)/s))),
    ratio: config.OTEL_TRACES_SAMPLER_ARG,
  })
}
