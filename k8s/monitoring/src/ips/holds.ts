/** Nodes, holds, and ip-manager. */
import { type Row, scope } from '../dashboard.ts'
import { graph, stat } from '../panel.ts'

export const holds: Row = {
  title: 'Nodes and holds',
  panels: [
    stat({
      title: 'ip-manager leaders',
      about: 'Exactly one leads. 0: IPs of a node that dies stay there (PostelIpManagerNoLeader).',
      unit: 'none',
      none: 'no ip-manager',
      steps: [
        ['red', null],
        ['green', 1],
        ['red', 2],
      ],
      query: `sum(postel_ip_manager_leader{${scope}})`,
    }),
    stat({
      title: 'IPs without a node',
      about: 'What ip-manager sees: wanted addresses that no node holds.',
      unit: 'none',
      none: 'no ip-manager',
      steps: [
        ['green', null],
        ['red', 1],
      ],
      query: `max(postel_ips_unheld{${scope}})`,
    }),
    stat({
      title: 'Silent processes',
      about: 'outbound processes whose heartbeat is older than 20 s. `table postel.nodes_now`.',
      unit: 'none',
      none: '0',
      steps: [
        ['green', null],
        ['red', 1],
      ],
      query: `max(postel_outbound_processes{${scope},state="silent"})`,
    }),
    stat({
      title: 'Holds that ran out',
      about: 'Holds that ended without renewal and that nobody took over.',
      unit: 'none',
      none: '0',
      steps: [
        ['green', null],
        ['red', 1],
      ],
      query: `max(postel_ip_holds_expired{${scope}})`,
    }),
    graph({
      title: 'IPs held by process',
      about: 'Moves of IPs show as steps. They should be spread evenly.',
      unit: 'none',
      queries: [{ expr: `sum by (instance) (postel_outbound_ips_held{${scope}})`, legend: '{{instance}}' }],
    }),
    graph({
      title: 'Since nodes were last heard of',
      about:
        'A sawtooth below 10 s is healthy. A node that is gone for good leaves this graph’s alert after 6 hours.',
      unit: 's',
      limit: 60,
      queries: [
        { expr: `max by (node) (postel_node_last_seen_seconds{${scope}}) < 86400`, legend: '{{node}}' },
      ],
    }),
    graph({
      title: 'Holds: got, taken over, lost, not renewed, a minute',
      about:
        'Got without the others: a rollout. Taken over and lost: a process or its database connection stalls (PostelLeasesExpire).',
      unit: 'short',
      queries: [
        { expr: `60 * sum(rate(postel_ip_acquired_total{${scope}}[$__rate_interval]))`, legend: 'got' },
        {
          expr: `60 * sum(rate(postel_ip_takeovers_total{${scope}}[$__rate_interval]))`,
          legend: 'taken over',
        },
        {
          expr: `60 * sum(rate(postel_ip_holds_lost_total{${scope}}[$__rate_interval]))`,
          legend: 'lost',
        },
        {
          expr: `60 * sum(rate(postel_ip_hold_renew_failures_total{${scope}}[$__rate_interval]))`,
          legend: 'not renewed',
        },
      ],
    }),
    graph({
      title: 'Moves by ip-manager, an hour',
      about:
        'By result and reason. They follow nodes that come and go; more is flapping (PostelIpMovesFlap).',
      unit: 'short',
      queries: [
        {
          expr: `sum by (result, reason) (increase(postel_ip_moves_total{${scope}}[1h]))`,
          legend: '{{result}}: {{reason}}',
        },
      ],
    }),
    graph({
      title: 'Errors of the cloud’s API, an hour',
      about:
        'By kind. Single ones are tried again; lasting ones leave IPs where they are (PostelIpProviderErrors).',
      unit: 'short',
      queries: [
        {
          expr: `sum by (kind) (increase(postel_ip_provider_errors_total{${scope}}[1h]))`,
          legend: '{{kind}}',
        },
      ],
    }),
    graph({
      title: 'Agents: addresses and problems by node',
      about:
        'Where the interface agent runs: the source IPs that it has put on its node, and what keeps it from more (PostelIpAgentProblem).',
      unit: 'none',
      queries: [
        {
          expr: `sum by (instance) (postel_ip_agent_addresses{${scope}})`,
          legend: 'addresses {{instance}}',
        },
        {
          expr: `sum by (instance) (postel_ip_agent_problems{${scope}})`,
          legend: 'problems {{instance}}',
        },
      ],
    }),
    graph({
      title: 'ip-manager: nodes by state, open moves, failed looks an hour',
      about:
        'gone: silent for so long that its IPs go elsewhere. Moves should end within a minute (PostelReconcileFails).',
      unit: 'none',
      queries: [
        { expr: `max by (state) (postel_nodes{${scope}})`, legend: 'nodes: {{state}}' },
        { expr: `max(postel_ip_moves_open{${scope}})`, legend: 'open moves' },
        {
          expr: `sum(increase(postel_ip_manager_reconcile_failures_total{${scope}}[1h]))`,
          legend: 'failed looks',
        },
      ],
    }),
    graph({
      title: 'Source IPs by state, number',
      about: 'paused: by a person. quarantined: by the system. `table postel.ips_now` has the reasons.',
      unit: 'none',
      stacked: true,
      queries: [{ expr: `max by (state) (postel_ips{${scope}})`, legend: '{{state}}' }],
    }),
  ],
}
