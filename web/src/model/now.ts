import type { Alert, HistoryStatus, Rollback, Rollout, Rule, RuleGroup, ServiceRollout } from '../api/types';
import { link } from '../router';
import type { Live } from '../state/live';
import { pageFindings } from './oncall';

export type Tone = 'good' | 'warn' | 'bad' | 'plain';

/** One thing that is wrong, or under way, with the way to it. */
export interface Finding {
  tone: Tone;
  title: string;
  detail: string;
  href: string;
  since?: number;
}

/** One number of the overview. */
export interface Figure {
  name: string;
  value: string;
  tone: Tone;
  href: string;
}

/** The state of a rollout or a service in the words of the documentation. */
export function toneOf(state: string): Tone {
  switch (state) {
    case 'promoted':
    case 'validated':
    case 'idle':
    case 'retired':
    case 'waiting':
      return state === 'promoted' ? 'good' : 'plain';
    case 'promoting':
    case 'baking':
    case 'shifting':
    case 'paused':
    case 'rolling_back':
      return 'warn';
    case 'rolled_back':
      return 'bad';
    default:
      return 'plain';
  }
}

export function words(state: string): string {
  return state.replace(/_/g, ' ');
}

const underWay = new Set(['promoting', 'paused', 'rolling_back']);

export function isUnderWay(rollout: Rollout): boolean {
  return underWay.has(rollout.state);
}

/** Rules that violate or fail, with their group. */
export function rulesInState(
  groups: readonly RuleGroup[],
  test: (rule: Rule) => boolean,
): { group: RuleGroup; rule: Rule }[] {
  return groups.flatMap((group) => group.rules.filter(test).map((rule) => ({ group, rule })));
}

/** Whether an alert is the tripped element of a rollback rule: its name is that of such a rule. */
export function trippedNames(groups: readonly RuleGroup[]): Set<string> {
  return new Set(rulesInState(groups, (rule) => rule.rollback !== undefined).map(({ rule }) => rule.name));
}

/** Why there is a rollback, in a few words. */
function causeText(rollback: Rollback | null): string {
  const cause = rollback?.causes[0];
  if (cause?.trip)
    return `${cause.trip.name}: ${cause.trip.samples[0]?.value ?? ''} ${cause.trip.comparison} ${cause.trip.threshold}`;
  if (cause?.command) return `ordered by ${cause.command.by}: ${cause.command.reason}`;
  return '';
}

function rolloutFindings(rollouts: readonly Rollout[]): Finding[] {
  return rollouts.flatMap((rollout): Finding[] => {
    const { details } = rollout;
    const href = link(['rollouts', rollout.plan]);
    const found: Finding[] = [];
    if (rollout.state === 'rolling_back' || rollout.state === 'rolled_back') {
      const { rollback } = details;
      found.push({
        tone: 'bad',
        title: `${rollout.plan} ${rollout.state === 'rolling_back' ? 'is being rolled back' : 'was rolled back'}`,
        href,
        detail: causeText(rollback),
        since: rollback?.timeline[0] ? Date.parse(rollback.timeline[0].time) : undefined,
      });
      if (details.services.some((one) => one.candidate > 0) && details.obstacle) {
        found.push({ tone: 'warn', title: `${rollout.plan} is rolled back in part`, detail: details.obstacle, href });
      }
    } else if (details.obstacle) {
      found.push({ tone: 'warn', title: `${rollout.plan} ${words(rollout.state)}`, detail: details.obstacle, href });
    }
    for (const service of details.services) {
      if (service.frozen)
        found.push({ tone: 'bad', title: `${service.name} cannot be shifted`, detail: service.frozen, href });
      for (const route of service.routes) {
        if (route.up === false) {
          found.push({
            tone: 'bad',
            title: `the traffic of ${service.name} cannot be read`,
            detail: route.fault ?? route.name,
            href,
            since: route.unreadable_since ? Date.parse(route.unreadable_since) : undefined,
          });
        }
      }
    }
    return found;
  });
}

function alertFindings(alerts: readonly Alert[], tripped: Set<string>): Finding[] {
  return alerts
    .filter((one) => one.state === 'firing')
    .map((one) => ({
      tone: 'bad' as Tone,
      title: `${one.labels['alertname']} ${tripped.has(one.labels['alertname']) ? 'has tripped' : 'is firing'}`,
      detail: one.annotations['summary'] ?? one.annotations['description'] ?? subjectOf(one),
      href: link(['alerts', alertID(one)]),
      since: Date.parse(one.activeAt),
    }));
}

/** The labels that say which thing an alert is about. */
export function subjectOf(alert: { labels: { [name: string]: string } }): string {
  const { alertname: _, severity: __, ...rest } = alert.labels;
  return Object.entries(rest)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
}

/** A short name for an alert in addresses: its name and labels. */
export function alertID(alert: { labels: { [name: string]: string } }): string {
  return JSON.stringify(
    Object.keys(alert.labels)
      .sort()
      .map((name) => [name, alert.labels[name]]),
  );
}

function historyFindings(history: HistoryStatus | null | undefined): Finding[] {
  if (!history) return [];
  const href = link(['evidence']);
  if (history.halted) return [{ tone: 'bad', title: 'The record is halted', detail: history.halted, href }];
  if (history.verification.problems > 0) {
    return [{ tone: 'bad', title: 'The record was altered', detail: history.verification.message ?? '', href }];
  }
  if (!history.connected) {
    return [
      {
        tone: 'warn',
        title: 'The history database is not reachable',
        detail: `${history.spooled} events wait in the spool`,
        href,
      },
    ];
  }
  return [];
}

/** What is wrong or under way, the worst and newest first. */
export function findings(live: Live): Finding[] {
  const groups = live.groups ?? [];
  const order: Tone[] = ['bad', 'warn', 'good', 'plain'];
  const failing = rulesInState(groups, (rule) => rule.health === 'err').map(
    ({ rule, group }): Finding => ({
      tone: 'warn',
      title: `${rule.name} cannot be evaluated`,
      detail: rule.lastError ?? '',
      href: link(['rules'], { q: rule.name, group: group.name }),
    }),
  );
  const down = (live.targets ?? []).filter((target) => target.health === 'down');
  const targets: Finding[] =
    down.length === 0
      ? []
      : [
          {
            tone: 'bad',
            title: down.length === 1 ? `${down[0].labels['instance']} is down` : `${down.length} targets are down`,
            detail: down[0].lastError,
            href: link(['targets'], { health: 'down' }),
          },
        ];
  return [
    ...pageFindings(live.pages ?? []),
    ...rolloutFindings(live.rollouts ?? []),
    ...alertFindings(live.alerts ?? [], trippedNames(groups)),
    ...targets,
    ...failing,
    ...historyFindings(live.history),
  ].sort((a, b) => order.indexOf(a.tone) - order.indexOf(b.tone) || (b.since ?? 0) - (a.since ?? 0));
}

/** The numbers of the overview. A list that was not read yet has no number. */
export function figures(live: Live): Figure[] {
  const { rollouts, alerts, targets, groups } = live;
  const tripped = rulesInState(groups ?? [], (rule) => rule.rollback?.tripped === true).length;
  const names = trippedNames(groups ?? []);
  const firing = (alerts ?? []).filter((one) => one.state === 'firing' && !names.has(one.labels['alertname'])).length;
  const up = (targets ?? []).filter((one) => one.health === 'up').length;
  const moving = (rollouts ?? []).filter(isUnderWay).length;
  const back = (rollouts ?? []).filter((one) => one.state === 'rolled_back').length;
  const verification = live.history?.verification;
  return [
    {
      name: 'rollouts under way',
      value: rollouts ? String(moving) : '…',
      tone: moving > 0 ? 'warn' : 'plain',
      href: link(['rollouts']),
    },
    {
      name: 'rolled back',
      value: rollouts ? String(back) : '…',
      tone: back > 0 ? 'bad' : 'good',
      href: link(['rollouts']),
    },
    {
      name: 'alerts firing',
      value: alerts ? String(firing) : '…',
      tone: firing > 0 ? 'bad' : 'good',
      href: link(['alerts']),
    },
    {
      name: 'rollback rules tripped',
      value: groups ? String(tripped) : '…',
      tone: tripped > 0 ? 'bad' : 'good',
      href: link(['alerts']),
    },
    {
      name: 'targets up',
      value: targets ? `${up} / ${targets.length}` : '…',
      tone: targets && up < targets.length ? 'bad' : 'good',
      href: link(['targets']),
    },
    {
      name: 'entries of evidence',
      value: live.history ? String(live.history.entries) : live.history === null ? 'none' : '…',
      tone: live.history?.halted || (verification?.problems ?? 0) > 0 ? 'bad' : 'good',
      href: link(['evidence']),
    },
  ];
}

/** A service with what it stands at in its plan. */
export interface ServiceState {
  plan: string;
  service: ServiceRollout;
  tone: Tone;
}

export function services(rollouts: readonly Rollout[]): ServiceState[] {
  return rollouts.flatMap((rollout) =>
    rollout.details.services.map((service) => ({
      plan: rollout.plan,
      service,
      tone: service.frozen ? ('bad' as Tone) : toneOf(service.progress),
    })),
  );
}
