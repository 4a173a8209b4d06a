// Files of a certificate are watched from before they are read, and whatever becomes of them.
import { mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals'
import { until } from '@postel/db/testing/factories'
import { makeThrowAwayDirectory } from '@postel/db/testing/throw-away-directory'
import { readCertificate, watchCertificate } from './tls.ts'

const directory = makeThrowAwayDirectory('postel-tls-')
const folder = join(directory.path, 'mounted')
const certFile = join(folder, 'tls.crt')
const keyFile = join(folder, 'tls.key')
let stopped: AbortController
let changes: number

beforeEach(async () => {
  mkdirSync(folder)
  for (const file of [certFile, keyFile]) writeFileSync(file, '')
  stopped = new AbortController()
  changes = 0
  await watchCertificate(certFile, keyFile, stopped.signal, () => {
    changes++
  })
})
afterEach(() => {
  stopped.abort()
  rmSync(folder, { recursive: true })
})
afterAll(() => directory.remove())

test('a change right behind the first look is seen', async () => {
  utimesSync(keyFile, new Date(), new Date(Date.now() - 60_000))
  await until(() => changes === 1)
})

test('files that cannot be looked at are told once, and again when they are back', async () => {
  const aside = `${folder}-aside`
  renameSync(folder, aside)
  // Nothing is below a file (ENOTDIR), whoever asks
  writeFileSync(folder, '')
  await until(() => changes === 1)
  expect(() => readCertificate(certFile, keyFile)).toThrow('ENOTDIR')
  rmSync(folder)
  renameSync(aside, folder)
  await until(() => changes === 2)
})
