/** The ports of a run: chosen where the configuration leaves it open, and free before anything is started. */
import { createServer } from 'node:net'
import { freePort } from '@postel/db/embedded/address'
import type { StandaloneConfig } from './config.ts'

export type Ports = {
  api: number
  submission: number
  submissions: number
  mx: number
  metrics: { inbound: number; api: number; outbound: number; worker: number }
}

/** Throws an Error that names port and variable when one is taken. */
export async function choosePorts(config: StandaloneConfig): Promise<Ports> {
  const everywhere = ['::', '0.0.0.0', '127.0.0.1', '::1']
  const smtpHosts = config.SMTP_HOST === '0.0.0.0' ? everywhere : [config.SMTP_HOST]
  const metrics = (offset: number) =>
    choose(config.METRICS_PORT && config.METRICS_PORT + offset, 'METRICS_PORT', everywhere)
  return {
    api: await choose(config.API_PORT, 'API_PORT', everywhere),
    submission: await choose(config.SMTP_SUBMISSION_PORT, 'SMTP_SUBMISSION_PORT', smtpHosts),
    submissions: await choose(config.SMTP_SUBMISSIONS_PORT, 'SMTP_SUBMISSIONS_PORT', smtpHosts),
    mx: await choose(config.SMTP_MX_PORT, 'SMTP_MX_PORT', smtpHosts),
    metrics: {
      inbound: await metrics(0),
      api: await metrics(1),
      outbound: await metrics(2),
      worker: await metrics(3),
    },
  }
}

async function choose(port: number, variable: string, hosts: readonly string[]): Promise<number> {
  if (port === 0) return freePort()
  for (const host of hosts) {
    const code = await tryToListen(port, host)
    // METRICS_PORT is the first of several, so another number of that range may be the one that is taken
    const which = variable === 'METRICS_PORT' ? 'one of the four from METRICS_PORT on' : variable
    if (code === 'EADDRINUSE')
      throw new Error(
        `Port ${port} (${which}) is taken by another program. Stop that one, or set ${variable} to another port.`,
      )
    if (code === 'EACCES')
      throw new Error(
        `Port ${port} (${which}) may not be opened by this user. Set ${variable} to a port above 1023.`,
      )
  }
  return port
}

/** Of `addresses`, those that this machine can send from. */
export async function bindable(addresses: readonly string[]): Promise<string[]> {
  const codes = await Promise.all(addresses.map((address) => tryToListen(0, address)))
  return addresses.filter((_, index) => codes[index] === undefined)
}

/** The error code when it fails. */
function tryToListen(port: number, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    probe.listen({ port, host, ipv6Only: true }, () => probe.close(() => resolve(undefined)))
  })
}
