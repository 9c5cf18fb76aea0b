import type { AlertGroup, LabelSet, Matcher, NotifiedAlert, Rule, RuleGroup, Target } from '../api/types';
import { mentions, wordsOf } from './labels';

/** A row of the list of targets: the head of a job, or a target. */
export type TargetRow = { kind: 'job'; job: string; up: number; all: number } | { kind: 'target'; target: Target };

/** The targets that meet a search and a state, by job, the jobs with trouble first. */
export function targetRows(
  targets: readonly Target[],
  search: string,
  health: string,
  closed: ReadonlySet<string>,
): TargetRow[] {
  const words = wordsOf(search);
  const jobs = new Map<string, Target[]>();
  for (const target of targets) {
    if (health !== '' && target.health !== health) continue;
    if (!mentions(target.labels, words, target.scrapeUrl, target.lastError)) continue;
    const list = jobs.get(target.scrapePool);
    if (list) list.push(target);
    else jobs.set(target.scrapePool, [target]);
  }
  const sorted = [...jobs]
    .map(([job, list]) => ({ job, list, up: list.filter((one) => one.health === 'up').length }))
    .sort((a, b) => Number(a.up === a.list.length) - Number(b.up === b.list.length) || (a.job < b.job ? -1 : 1));
  return sorted.flatMap(({ job, list, up }): TargetRow[] => [
    { kind: 'job', job, up, all: list.length },
    ...(closed.has(job) ? [] : [...list].sort((a, b) => Number(a.health !== 'down') - Number(b.health !== 'down'))).map(
      (target): TargetRow => ({ kind: 'target', target }),
    ),
  ]);
}

/** The groups with the rules that meet a search and a state. Groups without any are left out. */
export function ruleGroups(groups: readonly RuleGroup[], search: string, state: string): RuleGroup[] {
  const words = wordsOf(search);
  return groups
    .map((group) => ({
      ...group,
      rules: group.rules.filter(
        (rule) =>
          (state === '' || ruleState(rule) === state) &&
          mentions(
            { ...rule.labels, ...(rule.annotations ?? {}) },
            words,
            rule.name,
            rule.query,
            group.name,
            group.file,
          ),
      ),
    }))
    .filter((group) => group.rules.length > 0);
}

/** One word for how a rule stands. */
export function ruleState(rule: Rule): 'failing' | 'tripped' | 'firing' | 'pending' | 'healthy' | 'recording' {
  if (rule.health === 'err') return 'failing';
  if (rule.type === 'recording') return 'recording';
  if (rule.rollback?.tripped) return 'tripped';
  if (rule.state === 'firing') return 'firing';
  return rule.state === 'pending' ? 'pending' : 'healthy';
}

/** The matchers of a silence that hits exactly what these labels name. */
export function matchersFor(labels: LabelSet): Matcher[] {
  return Object.keys(labels)
    .sort()
    .map((name) => ({ name, value: labels[name], isRegex: false, isEqual: true }));
}

export interface AlertRow {
  labels: LabelSet;
  annotations: LabelSet;
  state: 'firing' | 'tripped' | 'pending' | 'silenced' | 'inhibited';
  since: number;
  value: string | null;
  receivers: string[];
  silencedBy: string[];
}

const states = ['tripped', 'firing', 'pending', 'silenced', 'inhibited'];

/**
 * Alerts of rules and alerts as they are notified, as one list without duplicates: the worst first, then the newest. What both know
 * has the value of the one and the receivers of the other.
 */
export function alertRows(
  alerts: readonly { labels: LabelSet; annotations: LabelSet; state: string; activeAt: string; value: string }[],
  notified: readonly NotifiedAlert[],
  tripped: ReadonlySet<string>,
  key: (labels: LabelSet) => string,
): AlertRow[] {
  const rows = new Map<string, AlertRow>();
  for (const alert of alerts) {
    const state = alert.state === 'pending' ? 'pending' : tripped.has(alert.labels['alertname']) ? 'tripped' : 'firing';
    rows.set(key(alert.labels), {
      labels: alert.labels,
      annotations: alert.annotations,
      state,
      since: Date.parse(alert.activeAt),
      value: alert.value,
      receivers: [],
      silencedBy: [],
    });
  }
  for (const alert of notified) {
    const known = rows.get(key(alert.labels));
    const { silencedBy, inhibitedBy } = alert.status;
    const state =
      silencedBy.length > 0 ? 'silenced' : inhibitedBy.length > 0 ? 'inhibited' : (known?.state ?? 'firing');
    rows.set(key(alert.labels), {
      labels: alert.labels,
      annotations: known?.annotations ?? alert.annotations,
      state,
      value: known?.value ?? null,
      since: known?.since ?? Date.parse(alert.startsAt),
      receivers: alert.receivers.map((one) => one.name),
      silencedBy,
    });
  }
  return [...rows.values()].sort((a, b) => states.indexOf(a.state) - states.indexOf(b.state) || b.since - a.since);
}

/** The alerts of a group list, each once. */
export function alertsOfGroups(groups: readonly AlertGroup[]): NotifiedAlert[] {
  const found = new Map<string, NotifiedAlert>();
  for (const group of groups) for (const alert of group.alerts) found.set(alert.fingerprint, alert);
  return [...found.values()];
}
