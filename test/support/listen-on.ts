/** Listens on a machine that is a network namespace, with the connections served in this process. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Server } from 'node:net'
import type { Machine } from '@postel/ip-manager/testing/machines'

const script = `
  const server = require('node:net').createServer()
  server.listen(0, process.argv[1], () => process.send('listening', server, () => process.exit()))`

/** A server on a free port of one of its addresses: a socket stays where it was made, whoever serves it. */
export async function listenOn(machine: Machine, address: string): Promise<Server> {
  const child = spawn('ip', ['netns', 'exec', machine.namespace, process.execPath, '-e', script, address], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const [, server] = (await once(child, 'message')) as [string, Server]
  return server
}
