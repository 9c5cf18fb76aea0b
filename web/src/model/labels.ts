import type { LabelSet, Matcher } from '../api/types';

/** A label set as PromQL writes it. */
export function seriesText(labels: LabelSet): string {
  const { __name__: name, ...rest } = labels;
  const pairs = Object.keys(rest)
    .sort()
    .map((label) => `${label}=${JSON.stringify(rest[label])}`);
  return (name ?? '') + (pairs.length > 0 || !name ? `{${pairs.join(', ')}}` : '');
}

/** The labels that tell some label sets apart: what all have in common is left out. */
export function distinguishing(all: readonly LabelSet[]): string[] {
  const names = new Set<string>();
  for (const labels of all) for (const name of Object.keys(labels)) names.add(name);
  return [...names].filter((name) => all.some((labels) => labels[name] !== all[0][name])).sort();
}

export function matcherText(matcher: Matcher): string {
  const sign = matcher.isRegex ? (matcher.isEqual ? '=~' : '!~') : matcher.isEqual ? '=' : '!=';
  return `${matcher.name}${sign}${JSON.stringify(matcher.value)}`;
}

/** Reads matchers, such as `service="auth", env=~"blue|green"`. Throws with what is wrong, and where. */
export function parseMatchers(text: string): Matcher[] {
  const found: Matcher[] = [];
  let rest = text.trim().replace(/^\{/, '').replace(/\}$/, '').trim();
  while (rest !== '') {
    const match = /^([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^\s,"]+)\s*(?:,\s*|$)/.exec(rest);
    if (!match) throw new Error(`Expected a matcher, such as service="auth", at "${rest.slice(0, 30)}".`);
    const [whole, name, sign, value] = match;
    found.push({
      name,
      isRegex: sign.endsWith('~'),
      isEqual: !sign.startsWith('!'),
      value: value.startsWith('"') ? (JSON.parse(value) as string) : value,
    });
    rest = rest.slice(whole.length).trim();
  }
  return found;
}

/** Whether free text meets a label set: every word occurs in a name=value pair. */
export function mentions(labels: LabelSet, words: readonly string[], ...more: string[]): boolean {
  if (words.length === 0) return true;
  const text = [...Object.entries(labels).map(([name, value]) => `${name}=${value}`), ...more].join(' ').toLowerCase();
  return words.every((word) => text.includes(word));
}

export function wordsOf(search: string): string[] {
  return search
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
}
