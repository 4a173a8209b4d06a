/** When each alert of the group ips fires, and when it does not. */
import { type AlertCase, always, growing } from './series.ts'

export const ips: Record<string, AlertCase> = {
  PostelIpUnheld: {
    series: {
      'postel_ip_held{app="worker",ip="192.0.2.1",node=""}': always(0),
      'postel_ip_state{app="worker",ip="192.0.2.1",pool="default",state="active"}': always(1),
    },
    at: 3,
    labels: { ip: '192.0.2.1' },
    says: 'Nobody has held 192.0.2.1 for 3 minutes: its mail waits, and goes to other IPs of its pool 5 minutes after it was queued.',
    quiet: {
      'it is held': {
        'postel_ip_held{app="worker",ip="192.0.2.1",node="mail-1"}': always(1),
        'postel_ip_state{app="worker",ip="192.0.2.1",pool="default",state="active"}': always(1),
      },
      'it is paused': {
        'postel_ip_held{app="worker",ip="192.0.2.1",node=""}': always(0),
        'postel_ip_state{app="worker",ip="192.0.2.1",pool="default",state="paused"}': always(1),
      },
      'it moves': {
        'postel_ip_held{app="worker",ip="192.0.2.1",node=""}': '0x1 _x60',
        'postel_ip_held{app="worker",ip="192.0.2.1",node="mail-2"}': '_x1 1x60',
        'postel_ip_state{app="worker",ip="192.0.2.1",pool="default",state="active"}': always(1),
      },
    },
  },
  PostelNoUsableIp: {
    series: {
      'postel_ips{app="worker",state="active"}': always(0),
      'postel_ips{app="worker",state="warming"}': always(0),
      'postel_ips{app="worker",state="paused"}': always(2),
    },
    at: 2,
    labels: {},
    says: 'All source IPs are paused, quarantined, draining or retired; what is accepted waits.',
    quiet: {
      'one warms up': {
        'postel_ips{app="worker",state="active"}': always(0),
        'postel_ips{app="worker",state="warming"}': always(1),
      },
    },
  },
  PostelIpQuarantined: {
    series: {
      'postel_ip_state{app="worker",ip="192.0.2.1",pool="default",state="quarantined"}': always(1),
    },
    at: 0,
    labels: { ip: '192.0.2.1', pool: 'default' },
    says: '192.0.2.1 of pool default is quarantined and sends nothing.',
    quiet: {
      'paused by a person': {
        'postel_ip_state{app="worker",ip="192.0.2.1",pool="default",state="paused"}': always(1),
      },
    },
  },
  PostelNodeGone: {
    series: { 'postel_node_last_seen_seconds{app="worker",node="mail-2"}': '0+60x100' },
    at: 3,
    labels: { node: 'mail-2' },
    says: 'outbound on mail-2 was last heard of 3m 0s ago; its IPs should be on other nodes by now.',
    quiet: {
      'it is heard': { 'postel_node_last_seen_seconds{app="worker",node="mail-2"}': always(8) },
      'it left yesterday': { 'postel_node_last_seen_seconds{app="worker",node="mail-2"}': always(86_400) },
    },
  },
  PostelLeasesExpire: {
    series: { 'postel_ip_takeovers_total{app="outbound",instance="10.0.0.1:9464"}': growing(1) },
    at: 3,
    labels: {},
    says: '3 times in 30 minutes a process took an IP over from one that had not renewed its hold in time.',
    quiet: {
      'a node died once': { 'postel_ip_takeovers_total{app="outbound"}': '0x5 2x100' },
    },
  },
  PostelHoldRenewalsFail: {
    series: { 'postel_ip_hold_renew_failures_total{app="outbound",instance="10.0.0.1:9464"}': growing(6) },
    at: 3,
    labels: { app: 'outbound', instance: '10.0.0.1:9464' },
    says: '10.0.0.1:9464 failed 18 times in 5 minutes; without a renewal it stops sending after 20 s.',
    quiet: { 'one failure': { 'postel_ip_hold_renew_failures_total{app="outbound"}': '0x5 1x100' } },
  },
  PostelIpManagerNoLeader: {
    series: {
      'postel_ip_manager_leader{app="ip-manager",instance="a"}': always(0),
      'postel_ip_manager_leader{app="ip-manager",instance="b"}': always(0),
    },
    at: 2,
    labels: {},
    says: 'ip-manager runs, and none of its processes has led for 2 minutes: IPs of a node that dies stay there.',
    quiet: {
      'one leads': {
        'postel_ip_manager_leader{app="ip-manager",instance="a"}': always(0),
        'postel_ip_manager_leader{app="ip-manager",instance="b"}': always(1),
      },
    },
  },
  PostelIpMovesFlap: {
    series: {
      'postel_ip_moves_total{app="ip-manager",result="done",reason="node_gone"}': growing(1),
      'postel_ips{app="worker",state="active"}': always(4),
      'postel_ips{app="worker",state="retired"}': always(40),
    },
    at: 13,
    labels: {},
    says: '13 moves in an hour, more than three for each IP.',
    quiet: {
      'each moved once': {
        'postel_ip_moves_total{app="ip-manager",result="done",reason="node_gone"}': '0x5 4x200',
        'postel_ips{app="worker",state="active"}': always(4),
      },
    },
  },
  PostelIpProviderErrors: {
    series: { 'postel_ip_provider_errors_total{app="ip-manager",kind="rate_limited"}': growing(2) },
    at: 13,
    labels: { kind: 'rate_limited' },
    says: '26 calls failed in 15 minutes (rate_limited): IPs of a node that dies may stay there.',
    quiet: {
      'a hiccup': {
        'postel_ip_provider_errors_total{app="ip-manager",kind="unavailable"}': '0x5 3x100',
      },
    },
  },
  PostelReconcileFails: {
    series: { 'postel_ip_manager_reconcile_failures_total{app="ip-manager"}': growing(6) },
    at: 6,
    labels: {},
    says: 'It failed 36 times in 10 minutes: IPs of a node that dies may stay there.',
    quiet: {
      'the database was away for a moment': {
        'postel_ip_manager_reconcile_failures_total{app="ip-manager"}': '0x5 2x100',
      },
    },
  },
  PostelIpAgentProblem: {
    series: { 'postel_ip_agent_problems{app="ip-agent",instance="10.0.0.1:9466"}': always(2) },
    at: 5,
    labels: { app: 'ip-agent', instance: '10.0.0.1:9466' },
    says: 'The agent at 10.0.0.1:9466 has had 2 problems with the addresses of its interface for 5 minutes.',
    quiet: { none: { 'postel_ip_agent_problems{app="ip-agent"}': always(0) } },
  },
  PostelIpDnsWrong: {
    series: { 'postel_ip_dns_ok{app="ip-manager",ip="192.0.2.1",check="ptr"}': always(0) },
    at: 60,
    labels: { ip: '192.0.2.1', check: 'ptr' },
    says: 'Check ptr of 192.0.2.1 has failed for an hour; large providers refuse or defer such mail.',
    quiet: {
      'it is mended': {
        'postel_ip_dns_ok{app="ip-manager",instance="a",ip="192.0.2.1",check="ptr"}': '0x20 1x200',
      },
    },
  },
}
