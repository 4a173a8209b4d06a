/** What was sent to somebody, as its recipient would read it. */
import { promisify } from 'node:util'
import { zstdDecompress } from 'node:zlib'
import { until } from '@postel/db/testing/factories'
import { type ParsedMail, simpleParser } from 'mailparser'
import type { TestApi } from './start-api.ts'

const decompress = promisify(zstdDecompress)

/** Waits for the nth mail to an address, counted from 1. */
export async function mailTo({ sql }: TestApi, address: string, nth = 1): Promise<ParsedMail> {
  type Row = { encoding: number; body: Buffer }
  let rows: Row[] = []
  await until(async () => {
    rows = await sql<Row[]>`
      select b.encoding, b.body
      from postel.deliveries d
      join postel.message_bodies b on b.message_id = d.message_id
      where d.recipient = ${address}
      order by d.message_id`
    return rows.length >= nth
  })
  const { encoding, body } = rows[nth - 1]!
  return simpleParser(encoding === 1 ? await decompress(body) : body)
}

/** The link in a mail. */
export function linkIn(mail: ParsedMail): string {
  return /https?:\/\/\S+/.exec(mail.text!)![0]
}
