import type { Rollout, ServiceRollout, Split } from '../api/types';
import { duration } from './time';

export type Verb = 'start' | 'pause' | 'resume' | 'promote' | 'abort' | 'rollback' | 'abandon-route' | 'adopt';

/** An order that is possible now, and what it will do. */
export interface Order {
  verb: Verb;
  title: string;
  consequence: string;
  isDangerous: boolean;
  needsReason: boolean;
  isWithoutData?: true;
}

function list(names: readonly string[]): string {
  return names.length <= 1
    ? (names[0] ?? 'no service')
    : `${names.slice(0, -1).join(', ')} and ${names[names.length - 1]}`;
}

/** Whether any request reaches the candidate. */
function reachesCandidate(split: Split): boolean {
  return split.candidate > 0 || split.testers === true;
}

/** The part of the candidate, as text: `10 %`, or `testers`. */
export function shareText(split: Split): string {
  return split.testers ? 'testers' : `${split.candidate} %`;
}

/** The services whose candidates have traffic, or are about to get some. */
export function withTraffic(rollout: Rollout): ServiceRollout[] {
  return rollout.details.services.filter(
    (one) => reachesCandidate(one) || (one.observed ? reachesCandidate(one.observed) : false),
  );
}

/** The orders that the present state allows. What is not possible is not offered. */
export function orders(rollout: Rollout, now: number): Order[] {
  const carrying = withTraffic(rollout);
  const back: Order = {
    verb: 'rollback',
    title: 'Roll back',
    isDangerous: true,
    needsReason: true,
    consequence:
      carrying.length > 0
        ? `All traffic of ${list(carrying.map((one) => one.name))} goes to the stable version, now. The candidates are isolated.`
        : 'Every service is set to the stable version again, and the candidates are isolated.',
  };
  const start: Order = {
    verb: 'start',
    title: 'Start a rollout',
    isDangerous: false,
    needsReason: false,
    consequence: `A new generation begins: ${firstStep(rollout)}`,
  };
  const promote: Order = {
    verb: 'promote',
    title: 'Approve',
    isDangerous: false,
    needsReason: true,
    consequence: `The approval is given, and the rest of the bake is left out: when the other gates are open, ${nextStage(rollout)}`,
  };
  const lacking = rollout.details.services.filter((one) => one.lack !== null);
  const blind: Order = {
    verb: 'promote',
    title: 'Approve without data',
    isDangerous: true,
    needsReason: true,
    isWithoutData: true,
    consequence: `${list(lacking.map((one) => one.name))} may pass the present stage although data are missing. Your name and reason are recorded.`,
  };
  const isBaking = rollout.details.services.some((one) => one.progress === 'baking');
  switch (rollout.state) {
    case 'idle':
      // A start is refused while somebody else has given a candidate traffic.
      return rollout.details.services.some((one) => one.unmanaged_since !== null)
        ? [adoptOrder(carrying), back]
        : [start];
    // A start is refused while a candidate has traffic, and during a cooldown.
    case 'rolled_back':
      if (carrying.length > 0) return [abortOrder(carrying), back];
      return Date.parse(rollout.details.cooldown_until ?? '') > now ? [] : [start];
    case 'promoted':
      return [back];
    case 'promoting':
      return [
        ...(isBaking ? [promote] : []),
        ...(lacking.length > 0 ? [blind] : []),
        {
          verb: 'pause',
          title: 'Pause',
          isDangerous: false,
          needsReason: false,
          consequence: 'No candidate gets more traffic until you resume. Rollback rules stay in force.',
        },
        abortOrder(carrying),
        back,
      ];
    case 'paused':
      return [
        {
          verb: 'resume',
          title: 'Resume',
          isDangerous: false,
          needsReason: false,
          consequence: `The rollout goes on: ${nextStage(rollout)}`,
        },
        abortOrder(carrying),
        back,
      ];
    case 'rolling_back':
      return carrying.length > 0 ? [back] : [];
    default:
      return [];
  }
}

function adoptOrder(carrying: ServiceRollout[]): Order {
  return {
    verb: 'adopt',
    title: 'Adopt',
    isDangerous: false,
    needsReason: true,
    consequence: `The present traffic of ${list(carrying.map((one) => one.name))} becomes that of a rollout, which is paused.`,
  };
}

function abortOrder(carrying: ServiceRollout[]): Order {
  return {
    verb: 'abort',
    title: 'Abort',
    isDangerous: true,
    needsReason: true,
    consequence: `The rollout ends${carrying.length > 0 ? `, and the traffic of ${list(carrying.map((one) => one.name))} goes to the stable version` : ''}.`,
  };
}

function firstStep(rollout: Rollout): string {
  const first = rollout.details.services.filter((one) => one.depends.length === 0).map((one) => one.name);
  const checks = rollout.details.services.flatMap((one) => one.preflight.map((check) => `${one.name}: ${check}`));
  return (
    `${list(first)} ${first.length === 1 ? 'gets' : 'get'} the first stage.` +
    (checks.length > 0 ? ` Check before: ${checks.join('; ')}.` : '')
  );
}

/** What comes next, in one sentence. */
export function nextStage(rollout: Rollout): string {
  const baking = rollout.details.services.find((one) => one.stage !== null && one.stage < one.stages);
  if (baking && baking.stage !== null)
    return `${baking.name} goes from stage ${baking.stage} to ${baking.stage + 1} of ${baking.stages}.`;
  const last = rollout.details.services.find((one) => one.stage !== null);
  if (last) {
    const waiting = rollout.details.services.find((one) => one.progress === 'waiting');
    return `${last.name} is promoted${waiting ? `, and ${waiting.name} begins` : ''}.`;
  }
  return '';
}

/** Why the rollout stands where it stands, or what it waits for. */
export function standing(rollout: Rollout, now: number): string[] {
  const lines: string[] = [];
  const { details } = rollout;
  if (details.obstacle) lines.push(details.obstacle);
  if (details.observing_until) lines.push(`nothing is written to routers until ${details.observing_until}`);
  for (const hook of details.hooks) {
    // While it promotes, the obstacle names the first one.
    const answer = hook.verdict === null ? 'no answer yet' : `${hook.verdict}, ${hook.detail}`;
    const line = `waits for the hook ${hook.name} ${hook.when}: ${answer}`;
    if (line !== details.obstacle) lines.push(line);
  }
  for (const service of details.services) {
    if (service.frozen) lines.push(`${service.name}: ${service.frozen}`);
    if (service.unmanaged_since) lines.push(`${service.name} has traffic that no rollout gave it`);
    if (service.lack) lines.push(`${service.name} ${service.lack}`);
    if (service.bake_ends && Date.parse(service.bake_ends) > now) {
      lines.push(`${service.name} bakes for another ${duration((Date.parse(service.bake_ends) - now) / 1000)}`);
    }
    // Before its first stage a service has not come to its gates.
    for (const gate of service.stage === null ? [] : service.gates) {
      if (gate.open === false) lines.push(`${service.name}: the gate "${gate.name}" is closed: ${gate.detail}`);
    }
  }
  if (details.cooldown_until && Date.parse(details.cooldown_until) > now) {
    lines.push(`no rollout may start for another ${duration((Date.parse(details.cooldown_until) - now) / 1000)}`);
  }
  return [...new Set(lines)];
}

export interface GraphNode {
  service: ServiceRollout;
  column: number;
  row: number;
}
export interface GraphEdge {
  from: string;
  to: string;
}
export interface DependencyGraph {
  nodes: GraphNode[];
  edges: GraphEdge[];
  columns: number;
  rows: number;
}

/**
 * The plan as columns: a service is right of all that it depends on. Dependencies that are in no plan are left out; a cycle, which
 * no plan can have, ends at the number of services.
 */
export function dependencyGraph(services: readonly ServiceRollout[]): DependencyGraph {
  const known = new Map(services.map((one) => [one.name, one]));
  const column = new Map<string, number>(services.map((one) => [one.name, 0]));
  for (let round = 0; round < services.length; round += 1) {
    for (const service of services) {
      const after = service.depends.filter((name) => known.has(name)).map((name) => (column.get(name) ?? 0) + 1);
      column.set(service.name, Math.min(services.length - 1, Math.max(0, ...after)));
    }
  }
  const used: number[] = [];
  const nodes = services.map((service) => {
    const at = column.get(service.name) ?? 0;
    const row = used[at] ?? 0;
    used[at] = row + 1;
    return { service, column: at, row };
  });
  const edges = services.flatMap((service) =>
    service.depends.filter((name) => known.has(name)).map((name) => ({ from: name, to: service.name })),
  );
  return { nodes, edges, columns: used.length, rows: Math.max(0, ...used.map((count) => count ?? 0)) };
}

/** Whether what was read differs from what is wanted. */
export function differs(service: ServiceRollout): boolean {
  return (
    service.observed !== null &&
    (shareText(service.observed) !== shareText(service) || service.observed.stable !== service.stable)
  );
}
