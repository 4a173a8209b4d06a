/** Prints rows as psql's aligned format does. */

export type Column = { name: string; alignRight: boolean }

/**
 * The table with its "(N rows)" and the empty line after it. A line break in a value continues it on the next line, marked
 * with `+`; other control characters are written out, so that what a stranger's server said cannot steer the terminal.
 */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const heads = columns.map(({ name }) => [name])
  const cells = rows.map((row) => row.map((value) => value.split('\n').map(harmless)))
  const widths = columns.map((_, index) =>
    [heads, ...cells]
      .flatMap((row) => row[index] ?? [])
      .reduce((most, line) => Math.max(most, widthOf(line)), 0),
  )
  return [
    heads.map(([name], index) => ` ${centre(name!, widths[index]!)} `).join('|'),
    widths.map((width) => '-'.repeat(width + 2)).join('+'),
    ...cells.flatMap((row) => formatRow(row, columns, widths)),
    `(${rows.length} ${rows.length === 1 ? 'row' : 'rows'})`,
    '',
    '',
  ].join('\n')
}

/** One row as the lines that its tallest cell needs. */
function formatRow(
  row: readonly (readonly string[])[],
  columns: readonly Column[],
  widths: readonly number[],
) {
  const height = row.reduce((most, lines) => Math.max(most, lines.length), 1)
  return Array.from({ length: height }, (_, line) =>
    columns
      .map(({ alignRight }, index) => {
        const lines = row[index] ?? []
        const text = lines[line]
        const continues = line < lines.length - 1
        const last = index === columns.length - 1
        const space = ' '.repeat(widths[index]! - widthOf(text ?? ''))
        const before = alignRight && text !== undefined ? space : ''
        // psql leaves out the spaces after a row's last value
        const after = before === space || (last && !continues) ? '' : space
        return ` ${before}${text ?? ''}${after}${continues ? '+' : last ? '' : ' '}`
      })
      .join('|'),
  )
}

function centre(text: string, width: number): string {
  const space = width - widthOf(text)
  const before = Math.floor(space / 2)
  return ' '.repeat(before) + text + ' '.repeat(space - before)
}

function harmless(line: string): string {
  return line
    .replaceAll('\t', '        ')
    .replaceAll('\r', '\\r')
    .replace(
      /\p{Cc}/gu,
      (control) => `\\x${control.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
    )
}

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** In characters as people count them. */
function widthOf(text: string): number {
  return /^[\x20-\x7e]*$/.test(text) ? text.length : [...segmenter.segment(text)].length
}
