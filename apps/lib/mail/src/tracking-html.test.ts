/** Only what is a link is replaced, and nothing else of a document changes. */
import { expect, test } from '@jest/globals'
import { changeHtml } from './tracking-html.ts'

const utf8 = (octets: string) => Buffer.from(octets, 'latin1').toString('utf8')
const change = (html: string, pixel?: string) => {
  const seen: string[] = []
  const octets = Buffer.from(html).toString('latin1')
  const link = (url: string) => `L${seen.push(url)}`
  return { html: utf8(changeHtml(octets, utf8, { link, pixel })), seen }
}

test.each([
  ['double quotes', '<a href="https://a.test/x">x</a>', '<a href="L1">x</a>', 'https://a.test/x'],
  [
    'single quotes',
    "<A class=b HREF = 'http://a.test' id=c>",
    "<A class=b HREF = 'L1' id=c>",
    'http://a.test',
  ],
  ['no quotes', '<a href=https://a.test/x>x</a>', '<a href=L1>x</a>', 'https://a.test/x'],
  ['no quotes, a slash', '<a href=https://a.test/ >', '<a href=L1 >', 'https://a.test/'],
  ['entities', '<a href="https://a.test/?a=1&amp;b=2&#38;c">', '<a href="L1">', 'https://a.test/?a=1&b=2&c'],
  ['an entity first', '<a href="&#104;ttps://a.test">', '<a href="L1">', 'https://a.test'],
  ['an ampersand that is none', '<a href="https://a.test/?a&b=2">', '<a href="L1">', 'https://a.test/?a&b=2'],
  [
    'line breaks and spaces',
    '<a\r\n href="  https://a.test/\r\nx ">',
    '<a\r\n href="L1">',
    'https://a.test/x',
  ],
  [
    'letters beyond ASCII',
    '<a href="https://bücher.test/ü">ü</a>',
    '<a href="L1">ü</a>',
    'https://bücher.test/ü',
  ],
  ['an area', '<area href="https://a.test">', '<area href="L1">', 'https://a.test'],
  [
    'the first of two',
    '<a href="https://a.test" href="https://b.test">',
    '<a href="L1" href="https://b.test">',
    'https://a.test',
  ],
  ['capitals in the scheme', '<a href="HTTPS://a.test">', '<a href="L1">', 'HTTPS://a.test'],
  [
    'a greater-than in a value',
    '<a title=">" href="https://a.test">',
    '<a title=">" href="L1">',
    'https://a.test',
  ],
  ['many spaces around', '<a href\t=\n"https://a.test">', '<a href\t=\n"L1">', 'https://a.test'],
])('a link is replaced: %s', (_name, before, after, url) => {
  expect(change(before)).toEqual({ html: after, seen: [url] })
})

test.each([
  ['mailto', '<a href="mailto:a@b.test?subject=https://a.test">'],
  [
    'other schemes',
    '<a href="tel:1"><a href="javascript:alert(1)"><a href="data:text/html,x"><a href="cid:x">',
  ],
  ['relative', '<a href="/x"><a href="#x"><a href="//a.test"><a href="">'],
  ['no value', '<a href><a href=>'],
  ['not a URL', '<a href="https://"><a href="http://[">'],
  ['other elements', '<link href="https://a.test"><img src="https://a.test"><base href="https://a.test">'],
  ['other attributes', '<a data-href="https://a.test" xhref="https://b.test">'],
  ['text', '&lt;a href="https://a.test"&gt; https://a.test'],
  ['a comment', '<!-- <a href="https://a.test"> --><!--[if mso]><a href="https://a.test"><![endif]-->'],
  ['a script', '<script>x = \'<a href="https://a.test">\'</script>'],
  ['a style', '<style>a[href="https://a.test"]{}</style>'],
  ['a placeholder', '<a href="{{url}}">'],
  ['a tag that does not end', '<a href="https://a.test'],
  ['a URL of too many characters', `<a href="https://a.test/${'x'.repeat(2_000)}">`],
  ['nothing', ''],
  ['octets that are no UTF-8', '\u0000\ufffd<a'],
])('left as it is: %s', (_name, html) => {
  expect(change(html)).toEqual({ html, seen: [] })
})

test.each([
  ['before the end of the body', '<html><body>x</BODY></html>', '<html><body>x^</BODY></html>'],
  ['at the end where there is none', '<p>x', '<p>x^'],
  ['before the last of two', '<body>a</body><body>b</body >', '<body>a</body><body>b^</body >'],
])('the image stands %s', (_name, before, after) => {
  const image = '<img src="https://t.test/o.gif" width="1" height="1" alt="" style="border:0">'
  expect(change(before, 'https://t.test/o.gif').html).toBe(after.replace('^', image))
})

test.each([
  ['tags that never end', '<a '.repeat(100_000)],
  ['quotes that never end', '<a href="'.repeat(50_000)],
  ['entities that never end', `<a href="${'&'.repeat(200_000)}">`],
  ['comments that never end', '<!--'.repeat(100_000)],
  ['body ends', '</body'.repeat(50_000)],
])('costs little: %s', (_name, html) => {
  const startedAt = performance.now()
  change(html, 'https://t.test/o.gif')
  expect(performance.now() - startedAt).toBeLessThan(10_000)
})
