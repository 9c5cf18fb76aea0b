import { link, sections } from '../router';
import type { Live } from '../state/live';
import { alertID, subjectOf } from './now';

/** A place that a search finds. */
export interface Found {
  kind: string;
  title: string;
  detail: string;
  href: string;
}

/** Places whose name has every word of `text`: views, plans, services, alerts, rules, targets; at most `most`. */
export function find(live: Live, text: string, most = 12): Found[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  const all: Found[] = [
    ...sections.map((one) => ({
      kind: 'view',
      title: one.title,
      detail: `g ${one.key}`,
      href: link(one.name === '' ? [] : [one.name]),
    })),
    ...(live.rollouts ?? []).flatMap((rollout) => [
      { kind: 'plan', title: rollout.plan, detail: rollout.state, href: link(['rollouts', rollout.plan]) },
      ...rollout.details.services.map((service) => ({
        kind: 'service',
        title: service.name,
        detail: `${service.progress} in ${rollout.plan}`,
        href: link(['rollouts', rollout.plan]),
      })),
    ]),
    ...(live.alerts ?? []).map((alert) => ({
      kind: 'alert',
      title: alert.labels['alertname'] ?? '',
      detail: subjectOf(alert),
      href: link(['alerts', alertID(alert)]),
    })),
    ...(live.groups ?? []).flatMap((group) =>
      group.rules.map((rule) => ({
        kind: 'rule',
        title: rule.name,
        detail: group.name,
        href: link(['rules'], { q: rule.name }),
      })),
    ),
    ...(live.targets ?? []).map((target) => ({
      kind: 'target',
      title: target.labels['instance'] ?? target.scrapeUrl,
      detail: target.scrapePool,
      href: link(['targets'], { q: target.labels['instance'] }),
    })),
  ];
  const found: Found[] = [];
  for (const one of all) {
    const place = `${one.kind} ${one.title} ${one.detail}`.toLowerCase();
    if (words.every((word) => place.includes(word))) found.push(one);
    if (found.length >= most) break;
  }
  // What is not found by name may be an expression.
  if (text.trim() !== '')
    found.push({
      kind: 'query',
      title: text.trim(),
      detail: 'run as an expression',
      href: link(['query'], { 'g0.expr': text.trim() }),
    });
  return found;
}
