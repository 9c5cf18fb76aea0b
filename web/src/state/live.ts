import type {
  Alert,
  ClientIdentity,
  HistoryStatus,
  LabelSet,
  Page,
  Rollout,
  RuleGroup,
  Schedule,
  Silence,
  Target,
} from '../api/types';
import type { StreamEvent } from './stream';

/** What the page knows of the server. `undefined` is what was not read yet. */
export interface Live {
  readonly rollouts?: Rollout[];
  readonly alerts?: Alert[];
  readonly targets?: Target[];
  readonly groups?: RuleGroup[];
  readonly silences?: Silence[];
  readonly history?: HistoryStatus | null;
  readonly pages?: Page[];
  readonly schedules?: Schedule[];
  readonly identity?: ClientIdentity;
  readonly connection: Connection;
}

export type Connection =
  | { state: 'connecting' }
  | { state: 'live' }
  /** The stream is not there, but requests are answered. */
  | { state: 'polling'; reason: string }
  | { state: 'offline'; since: number; reason: string };

export type List = 'rollouts' | 'alerts' | 'targets';

/** A new state, and the lists that must be read again because the event only says that they changed. */
export interface Outcome {
  live: Live;
  stale: List[];
}

/** A key of a label set that does not depend on the order of its members. */
export function labelKey(labels: LabelSet): string {
  return Object.keys(labels)
    .sort()
    .map((name) => `${name}\u0000${labels[name]}`)
    .join('\u0001');
}

interface TargetChange {
  scrapePool: string;
  scrapeUrl: string;
  labels: LabelSet;
  health: string;
  lastError: string;
}

/** One event of `/api/v1/events/stream`. */
export function received(live: Live, event: StreamEvent): Outcome {
  let value: any;
  try {
    value = JSON.parse(event.data);
  } catch {
    return { live, stale: [] };
  }
  switch (event.event) {
    case 'rollout':
      return { live: { ...live, rollouts: withRollout(live.rollouts ?? [], value) }, stale: [] };
    // An event has the state of an alert, not its value and annotations.
    case 'alerts':
      return { live, stale: ['alerts'] };
    case 'targets':
      return withTargets(live, value as TargetChange[]);
    case 'reset':
      return { live, stale: isList(value.list) ? [value.list] : [] };
    default:
      return { live, stale: [] };
  }
}

function isList(name: unknown): name is List {
  return name === 'rollouts' || name === 'alerts' || name === 'targets';
}

function withRollout(rollouts: Rollout[], changed: Rollout): Rollout[] {
  const others = rollouts.filter((one) => one.plan !== changed.plan);
  if (changed.state === 'removed') return others;
  return [...others, changed].sort((a, b) => (a.plan < b.plan ? -1 : 1));
}

function withTargets(live: Live, changes: TargetChange[]): Outcome {
  if (!live.targets) return { live, stale: ['targets'] };
  const byKey = new Map(
    changes.map((one) => [`${one.scrapePool}\u0002${one.scrapeUrl}\u0002${labelKey(one.labels)}`, one]),
  );
  const targets: Target[] = [];
  for (const target of live.targets) {
    const key = `${target.scrapePool}\u0002${target.scrapeUrl}\u0002${labelKey(target.labels)}`;
    const change = byKey.get(key);
    byKey.delete(key);
    if (!change) targets.push(target);
    else if (change.health !== 'removed')
      targets.push({ ...target, health: change.health, lastError: change.lastError });
  }
  const unknown = [...byKey.values()].some((one) => one.health !== 'removed');
  return { live: { ...live, targets }, stale: unknown ? ['targets'] : [] };
}

/** The stream was lost for the `failures`th time in a row. One interruption shows nothing: it lasts a second. */
export function lost(live: Live, failures: number, reason: string, answered: boolean, now: number): Live {
  if (failures < 2) return live;
  if (answered) return { ...live, connection: { state: 'polling', reason } };
  const since = live.connection.state === 'offline' ? live.connection.since : now;
  return { ...live, connection: { state: 'offline', since, reason } };
}

/** Whether the client has a permission; `undefined` while that is not known. */
export function may(live: Live, permission: string): boolean {
  return live.identity?.permissions.includes(permission) ?? false;
}
