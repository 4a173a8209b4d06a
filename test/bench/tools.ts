/** Finds the programs of Debian's package `postfix` that the benchmarks use. */
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'

/** Why a benchmark cannot run here; the message says what to do, and is shown without a stack. */
export class CannotRunError extends Error {
  override name = 'CannotRunError'
}

const directories = ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/sbin']

/** True when the machine has that program. */
export function hasTool(name: string): boolean {
  return locate(name) !== undefined
}

/** The path of a program; throws a CannotRunError that names the package. */
export function findTool(name: 'smtp-source' | 'smtp-sink' | 'postfix'): string {
  const path = locate(name)
  if (path) return path
  throw new CannotRunError(
    `This benchmark needs ${name}, which this machine does not have. It comes with Debian's and Ubuntu's package ` +
      '"postfix" (apt-get install postfix; the mail server itself need not run).',
  )
}

/** What smtp-sink, started as root, is told so that it runs as an ordinary user. */
export function unprivileged(): string[] {
  return process.getuid?.() === 0 ? ['-u', 'nobody'] : []
}

function locate(name: string): string | undefined {
  return directories
    .map((directory) => join(directory, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}
