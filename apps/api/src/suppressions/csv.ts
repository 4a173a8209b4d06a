/** Cells of CSV files that people open in spreadsheets. */

/** What a spreadsheet takes for a formula (OWASP, CSV injection), and what would then be mistaken for a prefix of ours. */
const risky = /^'*[=+\-@\t\r]/
const prefixed = /^'+[=+\-@\t\r]/

/** The text, with an apostrophe before it where a spreadsheet would run it. */
export function guardCell(text: string): string {
  return risky.test(text) ? `'${text}` : text
}

/** What guardCell() was given. */
export function unguardCell(text: string): string {
  return prefixed.test(text) ? text.slice(1) : text
}
