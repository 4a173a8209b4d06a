/** Series in promtool's notation, one sample a minute from minute 0 on, of which the cases of the alerts are made. */

export type Series = Record<string, string>

export type AlertCase = {
  series: Series
  /** The first minute at which it fires. */
  at: number
  /** Beyond alertname and severity. */
  labels: Record<string, string>
  /** The description, word for word. */
  says: string
  /** What looks like it and is not: by name, and silent at the same minute and ten minutes later. */
  quiet: Record<string, Series>
}

/** Longer than any case looks. */
export const longest = 2000

export const always = (value: number) => `${value}x${longest}`

/** A counter that grows by so many a minute. */
export const growing = (perMinute: number) => `0+${perMinute}x${longest}`

export const outbound = 'app="outbound",job="postel-outbound/outbound",instance="10.0.0.1:9464"'
export const everyApp: Series = Object.fromEntries(
  ['inbound', 'api', 'outbound', 'worker'].map((app) => [
    `postel_build_info{app="${app}",version="1.0.0",job="postel/${app}",instance="${app}:9464"}`,
    always(1),
  ]),
)

export const without = (app: string): Series =>
  Object.fromEntries(Object.entries(everyApp).filter(([series]) => !series.includes(`app="${app}"`)))

export const apiRequests = (status: number, perMinute: number): Series => ({
  [`postel_api_request_seconds_count{app="api",status="${status}",method="POST",route="/emails"}`]:
    growing(perMinute),
})
export const deliveries = (outcome: string, perMinute: number): Series => ({
  [`postel_deliveries_total{app="outbound",outcome="${outcome}",category="none"}`]: growing(perMinute),
})
export const fromIp = (outcome: string, category: string, perMinute: number): Series => ({
  [`postel_deliveries_by_ip_total{app="outbound",ip="192.0.2.1",outcome="${outcome}",category="${category}"}`]:
    growing(perMinute),
})
export const atProvider = (provider: string, outcome: string, perMinute: number): Series => ({
  [`postel_deliveries_by_provider_total{app="outbound",provider="${provider}",outcome="${outcome}"}`]:
    growing(perMinute),
})

/** Of 60 requests or messages a minute, all beyond the largest bucket but one take so long. */
export function slow(metric: string, labels: string): Series {
  return {
    [`${metric}_bucket{${labels},le="1"}`]: growing(0),
    [`${metric}_bucket{${labels},le="5"}`]: growing(60),
    [`${metric}_bucket{${labels},le="+Inf"}`]: growing(60),
    [`${metric}_count{${labels}}`]: growing(60),
  }
}

export function fast(metric: string, labels: string): Series {
  return { ...slow(metric, labels), [`${metric}_bucket{${labels},le="1"}`]: growing(60) }
}
