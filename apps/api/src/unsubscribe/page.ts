/** The pages that a recipient sees who follows the link to unsubscribe. No script, nothing loaded from anywhere. */
import { createHash } from 'node:crypto'
import type { Response } from 'express'

const style =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem}button{font:inherit;padding:.5rem 1rem}'
const styleHash = createHash('sha256').update(style).digest('base64')

/** Answers with a page; the texts are written as they are, whatever is in them. */
export function sendPage(
  response: Response,
  status: number,
  { title, text, button }: { title: string; text: string; button?: string },
): void {
  const form = button === undefined ? '' : `<form method="post"><button>${escaped(button)}</button></form>`
  response
    .status(status)
    .set({
      'content-security-policy': `default-src 'none'; style-src 'sha256-${styleHash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
      // The address of the page is all that it takes
      'referrer-policy': 'no-referrer',
      'x-robots-tag': 'noindex',
    })
    .type('html')
    .send(
      `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
        `<title>${escaped(title)}</title><style>${style}</style></head>` +
        `<body><h1>${escaped(title)}</h1><p>${escaped(text)}</p>${form}</body></html>\n`,
    )
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
