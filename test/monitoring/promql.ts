/** What a PromQL expression names: read with the parser of Prometheus's own web pages. */
import { parser } from '@prometheus-io/lezer-promql'

export type Selector = { metric: string; matchers: { label: string; value: string }[] }

export type Expression = {
  selectors: Selector[]
  /** Labels of by, without, on and ignoring. */
  groupings: string[]
}

/** Throws on what is no PromQL. Grafana's variables must have been replaced by values. */
export function readExpression(text: string): Expression {
  const selectors: Selector[] = []
  const groupings: string[] = []
  const at = ({ from, to }: { from: number; to: number }) => text.slice(from, to)
  parser.parse(text).iterate({
    enter(node) {
      if (node.type.isError) throw new Error(`not PromQL at ${node.from}: ${text}`)
      const inner = node.node
      if (node.name === 'VectorSelector') {
        const name = inner.getChild('Identifier')
        if (name === null) throw new Error(`a selector without a metric: ${text}`)
        const matchers = inner.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? []
        selectors.push({
          metric: at(name),
          matchers: matchers.map((matcher) => ({
            label: at(matcher.getChild('LabelName')!),
            value: at(matcher.getChild('StringLiteral')!).slice(1, -1),
          })),
        })
      }
      if (node.name === 'GroupingLabels')
        groupings.push(...inner.getChildren('LabelName').map((label) => at(label)))
    },
  })
  return { selectors, groupings }
}
