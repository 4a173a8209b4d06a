/** The links of an HTML document, replaced where they stand; everything else stays as it is. */
import { QuoteType, Tokenizer } from 'htmlparser2'

export type HtmlChanges = {
  /** A new address for a link to this http or https URL; undefined leaves it. Undefined: links stay. */
  link: ((url: string) => string | undefined) | undefined
  /** The address of an image of one pixel. Undefined: none is added. */
  pixel: string | undefined
}

/** As they stand in `html`: octets as latin1, so positions are those of the octets in any charset that extends ASCII. */
type Edit = { start: number; end: number; text: string }

const urlCharactersMax = 2_000
const equalsAndQuote = /[ \t\r\n\f]*=[ \t\r\n\f]*["']?/y
const webUrl = /^https?:\/\//i
const pixelBefore = '<img src="'
const pixelAfter = '" width="1" height="1" alt="" style="border:0">'
/** The image as changeHtml() writes it, and its address. */
export const pixelForm = new RegExp(`${pixelBefore}([^"]*)${pixelAfter}`, 'g')
const linking = new Set(['a', 'area'])

/**
 * `html` is octets as latin1, of a text in `decode`'s charset, which must extend ASCII. Only the `href` of `a` and `area`
 * is looked at, where it is an http or https URL: other schemes, relative ones, comments, scripts and styles stay. Any
 * text is a document to it; it never throws. Linear.
 */
export function changeHtml(html: string, decode: (octets: string) => string, changes: HtmlChanges): string {
  const edits: Edit[] = []
  let tag = ''
  let isHref = false
  let hasHref = false
  let valueStart = 0
  let value: string[] = []
  let bodyEnd: number | undefined
  const tokenizer = new Tokenizer(
    { decodeEntities: true },
    {
      onopentagname: (start, end) => {
        tag = html.slice(start, end).toLowerCase()
        hasHref = false
      },
      onattribname: (start, end) => {
        // Of several, browsers take the first
        isHref =
          linking.has(tag) && !hasHref && end - start === 4 && html.slice(start, end).toLowerCase() === 'href'
        if (!isHref) return
        hasHref = true
        value = []
        equalsAndQuote.lastIndex = end
        valueStart = equalsAndQuote.test(html) ? equalsAndQuote.lastIndex : -1
      },
      onattribdata: (start, end) => {
        if (isHref) value.push(decode(html.slice(start, end)))
      },
      onattribentity: (codepoint) => {
        if (isHref) value.push(String.fromCodePoint(codepoint))
      },
      onattribend: (quote, afterQuote) => {
        if (!isHref || valueStart < 0) return
        isHref = false
        const end = quote > QuoteType.Unquoted ? afterQuote - 1 : afterQuote
        const address = replacement(value.join(''), changes)
        if (address !== undefined) edits.push({ start: valueStart, end, text: address })
      },
      onclosetag: (start, end) => {
        if (html.slice(start, end).toLowerCase() === 'body') bodyEnd = html.lastIndexOf('</', start)
      },
      oncdata: () => {},
      oncomment: () => {},
      ondeclaration: () => {},
      onend: () => {},
      onopentagend: () => {},
      onprocessinginstruction: () => {},
      onselfclosingtag: () => {},
      ontext: () => {},
      ontextentity: () => {},
    },
  )
  tokenizer.write(html)
  tokenizer.end()
  if (changes.pixel !== undefined) {
    const at = bodyEnd ?? html.length
    edits.push({ start: at, end: at, text: pixelBefore + changes.pixel + pixelAfter })
  }
  return applied(html, edits)
}

function replacement(value: string, { link }: HtmlChanges): string | undefined {
  // As browsers read it (WHATWG URL): without line breaks, tabs, and spaces around it
  const url = value.replace(/[\t\r\n]/g, '').trim()
  if (link === undefined || !webUrl.test(url) || url.length > urlCharactersMax || !URL.canParse(url))
    return undefined
  return link(url)
}

function applied(html: string, edits: Edit[]): string {
  let text = ''
  let kept = 0
  for (const edit of edits.sort((a, b) => a.start - b.start)) {
    text += html.slice(kept, edit.start) + edit.text
    kept = edit.end
  }
  return text + html.slice(kept)
}
