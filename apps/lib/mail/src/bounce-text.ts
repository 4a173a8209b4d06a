/** Bounces without fields for programs (qmail, old Exchange, Exim and many more): what their sentences say. */
import { addressOf, type BouncedRecipient, oneLine } from './bounce-fields.ts'
import { decodeEncodedWords } from './encoded-word.ts'
import { decodeLeaf, type ReadMessage } from './mime-leaves.ts'

const maxTextCharacters = 32 * 1024
const maxLineCharacters = 500
const maxAddresses = 20
/** What is below is the message that came back. */
const copyBelow =
  /^[ \t>*-]{0,100}(?:below this line is a copy|this is a copy of (?:the|your) message|(?:the )?(?:original|returned) message|original nachricht|message (?:headers?|original|follows)|unsent message|included is a copy|here is (?:a|your) (?:copy|message)|received: (?:from|by) |return-path: )/im
const bouncedSubject =
  /^(?:\[?(?:spam|ext)\]?:? ?)?(?:failure notice|.{0,100}(?:: non remis|\(delivery failed)|undeliver(?:able|ed)|delivery (?:status notification|failure|failed|problem|error|report|has failed|notification)|mail (?:delivery|system error|could not)|mail delivery|returned (?:mail|to sender)|message (?:undeliverable|could not|not delivered|delivery)|non[- ]?delivery|non remis|nondeliverable|unzustellbar|nicht zustellbar|zustellung(?:sfehler)?|rückläufer|échec|echec|avis de non|no se (?:ha podido|puede)|error de entrega|mensaje no entregado|mancata consegna|impossibile|não foi possível|falha|onbestelbaar|niet bezorg|kan niet|nie dostarczon|не доставлен|недоставленн|ошибка доставки|配信|送信|未送達|エラー|退信|系统退信|投递失败|無法|반송|delayed mail|warning: (?:message|could not)|benachrichtigung zum übermittlungsstatus|notification d.état de (?:la )?remise|delivery delayed|\*{3}|error|bounce|rejected|user unknown|uzivatel|olevererbart|oleverer|kunde inte|toimitus)/i
const bouncedFrom =
  /(?:mailer-?daemon|mail ?delivery|postmaster|mdaemon|mail-?system|bounce|noreply-bounce|administrator)/i
const delayed =
  /\b(?:has not (?:yet )?been delivered|not yet been|delivery (?:is |has been |to .{1,80} has been )?delayed|will (?:continue to (?:be (?:tried|made)|try)|be retried|retry|try again|keep trying)|has been postponed|no action is required|still (?:being )?(?:tried|retried|trying)|is being retried|verzögert|a été retardé|se ha retrasado|wordt vertraagd|задержан)|遅延/i
const gaveUp =
  /\b(?:giving up|given up|final|gave up|delivery failed|permanent|too long|expired|i'm not going to try)\b/i
/** A reply's code, with its enhanced code, where sentences quote one. */
const quoted = /(?:^|[\s:("'<[#])([45]\d\d)(?:[ -]+(?=[#(<[]?[45]\.\d)|[ -](?=[a-z<"'(*])|[:,]? ?(?=\())/i
const status = /(?:^|[\s("'<[#])#?([45]\.\d{1,3}\.\d{1,3})\b/
/** What reports say in their own words, as a reply would say it; replies themselves are for reply-rules.ts. */
const words: readonly (readonly [RegExp, string])[] = [
  [
    /nicht gefunden|existiert nicht|unbekannte?r? (?:benutzer|empfänger|adresse)|(?:utilisateur|destinataire|adresse) inconnue?|n.existe pas|n.a pas été trouvée?|no existe|desconocid[oa]|no se (?:ha )?encontr|non esiste|sconosciut[oa]|não existe|não encontrad|bestaat niet|onbekende? (?:gebruiker|ontvanger)|nie istnieje|nieznany|finns inte|findes ikke|finnes ikke|ei ole olemassa|не существует|не найден|неизвестн|存在しません|見つかりません|宛先不明|不存在|无此用户|未找到|존재하지 않|찾을 수 없|not a valid user|invalid final delivery userid|no matches to nameserver query|did not exactly match|not have a final (?:e-?mail )?delivery point/i,
    '550 5.1.1 no such user',
  ],
  [
    /postfach (?:ist )?voll|boîte (?:aux lettres )?(?:est )?pleine|buzón (?:est[áa] )?lleno|casella (?:è )?piena|caixa (?:de correio )?cheia|postbus (?:is )?vol|skrzynka.{1,20}pełna|переполнен|已满|容量|いっぱい|超过.{0,10}限额|가득|full mailbox/i,
    '452 4.2.2 mailbox full',
  ],
  [/exceed(?:ed|s) the maximum (?:incoming )?(?:message )?size/i, '552 5.3.4 message too large'],
  [/not accepting mail from/i, '550 5.7.1 not accepting mail from the sender'],
  [/could not find a gateway/i, '550 5.4.4 unable to route'],
  [/host not found, try again/i, '450 4.4.3 host not found, try again'],
  [
    /within the allowed queue period|not been collected after|aborted after [\d.]+ (?:hour|day)|failed \d+ (?:delivery )?attempts|in the queue too long|exceeded (?:the )?(?:retry|time)/i,
    '450 4.4.7 delivery time expired',
  ],
]

/** Whether it presents itself as a report on mail, whoever its envelope's sender is. */
export function looksLikeBounce({ fields }: ReadMessage): boolean {
  return (
    fields.has('x-failed-recipients') ||
    bouncedSubject.test(oneLine(decodeEncodedWords(fields.get('subject') ?? ''))) ||
    /\(rejected\)/i.test(fields.get('auto-submitted') ?? '') ||
    bouncedFrom.test(fields.get('from') ?? '')
  )
}

/** What its text says; undefined where that is nothing about a failure. */
export function readBounceText(message: ReadMessage): BouncedRecipient[] | undefined {
  const text = textOf(message)
  const found = findReply(text)
  if (found === undefined) return undefined
  const late = delayed.test(text) && !gaveUp.test(text)
  const addresses = [message.fields.get('x-failed-recipients') ?? '', text].flatMap(addressesIn)
  return [
    {
      addresses: [...new Set(addresses)].slice(0, maxAddresses),
      action: late ? 'delayed' : 'failed',
      status: found.status,
      reply: oneLine(found.reply),
      remote: undefined,
    },
  ]
}

/** The first text for people, without the message that it is about. */
function textOf({ leaves }: ReadMessage): string {
  const plain = leaves.find(({ type }) => type === 'text/plain')
  const html = leaves.find(({ type }) => type === 'text/html')
  const leaf = plain ?? html
  if (!leaf) return ''
  const decoded = decodeLeaf(leaf).slice(0, maxTextCharacters).replace(/\r\n?/g, '\n')
  const text = leaf === plain ? decoded : withoutTags(decoded)
  const end = text.search(copyBelow)
  return end > 0 ? text.slice(0, end) : text
}

function withoutTags(html: string): string {
  return html
    .replace(/<(?:br|\/p|\/div|\/tr|\/h\d)[^<>]{0,200}>/gi, '\n')
    .replace(/<[^<>]{0,2000}>/g, ' ')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&nbsp;|&#160;/g, ' ')
    .replace(/&amp;/g, '&')
}

function findReply(text: string): { reply: string; status: string | undefined } | undefined {
  const lines = text.split('\n').map((line) => line.slice(0, maxLineCharacters).trim())
  const rest = (index: number, from: number) =>
    [lines[index]!.slice(from), ...lines.slice(index + 1, index + 4)].join('\n').split('\n\n', 1)[0]!
  for (const [index, line] of lines.entries()) {
    const match = quoted.exec(line)
    if (!match) continue
    const from = match.index + match[0].indexOf(match[1]!)
    const reply = rest(index, from)
    return { reply, status: status.exec(reply)?.[1] }
  }
  for (const [index, line] of lines.entries()) {
    const match = status.exec(line)
    if (match) return { reply: rest(index, match.index), status: match[1] }
  }
  const flat = text.replace(/\s+/g, ' ')
  for (const [form, reply] of words) {
    const said = form.exec(flat)?.[0]
    if (said !== undefined) return { reply: `${reply}: ${oneLine(said)}`, status: reply.slice(4, 9) }
  }
  // The sentences themselves, without the polite ones before them
  const plain = lines.filter((line) => line !== '').join('\n')
  return plain === '' ? undefined : { reply: plain, status: undefined }
}

function addressesIn(text: string): string[] {
  return (text.slice(0, 8_192).match(/[^\s<>"'(),:;[\]]{1,64}@[\w.-]{1,253}\w/g) ?? []).flatMap(
    (found) => addressOf(found) ?? [],
  )
}
