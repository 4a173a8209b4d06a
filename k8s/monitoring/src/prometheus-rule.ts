/** The rule file as a PrometheusRule, the custom resource that the Prometheus operator reads. */

const head = `# Made from ../../monitoring/rules/postel.rules.yaml by \`npm run monitoring\`: change that file, then run it.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: postel
  namespace: postel
  labels:
    app.kubernetes.io/name: postel-alerts
    app.kubernetes.io/part-of: postel
spec:
`

/** `rules` is the text of a rule file, which begins with comments and has the one key `groups`. */
export function renderPrometheusRule(rules: string): string {
  const groups = rules.slice(rules.indexOf('groups:\n'))
  return head + groups.replace(/^(?=.)/gm, '  ')
}
