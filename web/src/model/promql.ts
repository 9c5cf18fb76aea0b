// Completion of PromQL: what may stand at the cursor, by the text before it.

export type Context =
  | { kind: 'nothing' }
  /** A metric, function, operator or keyword, of which `prefix` is there. */
  | { kind: 'expression'; prefix: string }
  /** A label name inside of braces, or of by (…). */
  | { kind: 'label'; prefix: string; metric: string | null }
  /** A value of a label. */
  | { kind: 'value'; prefix: string; label: string; metric: string | null }
  /** A duration inside of brackets. */
  | { kind: 'duration'; prefix: string };

/** Where the end of `before` stands. Strings and comments are skipped. */
export function contextAt(before: string): Context {
  const stack: { open: string; at: number }[] = [];
  let quote = '';
  let quoteAt = 0;
  for (let at = 0; at < before.length; at += 1) {
    const character = before[at];
    if (quote !== '') {
      if (character === '\\' && quote !== '`') at += 1;
      else if (character === quote) quote = '';
    } else if (character === '"' || character === "'" || character === '`') {
      quote = character;
      quoteAt = at;
    } else if (character === '#') {
      const end = before.indexOf('\n', at);
      if (end < 0) return { kind: 'nothing' };
      at = end;
    } else if ('([{'.includes(character)) stack.push({ open: character, at });
    else if (')]}'.includes(character)) stack.pop();
  }
  const inner = stack[stack.length - 1];
  if (quote !== '') {
    if (inner?.open !== '{') return { kind: 'nothing' };
    const label = /([A-Za-z_][\w]*)\s*(=~|!~|!=|=)\s*$/.exec(before.slice(0, quoteAt));
    return label
      ? { kind: 'value', label: label[1], prefix: before.slice(quoteAt + 1), metric: metricBefore(before, inner.at) }
      : { kind: 'nothing' };
  }
  const word = /[A-Za-z_:][\w:]*$/.exec(before)?.[0] ?? '';
  if (inner?.open === '{') {
    const since = before.slice(inner.at + 1);
    return /(^|,)\s*\w*$/.test(since)
      ? { kind: 'label', prefix: word, metric: metricBefore(before, inner.at) }
      : { kind: 'nothing' };
  }
  if (inner?.open === '[') return { kind: 'duration', prefix: /\w*$/.exec(before.slice(inner.at + 1))?.[0] ?? '' };
  if (inner?.open === '(' && /\b(by|without|on|ignoring|group_left|group_right)\s*$/.test(before.slice(0, inner.at))) {
    return { kind: 'label', prefix: word, metric: null };
  }
  return { kind: 'expression', prefix: word };
}

function metricBefore(text: string, brace: number): string | null {
  return /([A-Za-z_:][\w:]*)\s*$/.exec(text.slice(0, brace))?.[1] ?? null;
}

export const keywords = [
  'by',
  'without',
  'on',
  'ignoring',
  'group_left',
  'group_right',
  'bool',
  'offset',
  'and',
  'or',
  'unless',
];
export const durations = ['1m', '5m', '10m', '30m', '1h', '6h', '1d'];

export interface Suggestion {
  text: string;
  kind: 'metric' | 'function' | 'keyword' | 'label' | 'value' | 'duration';
  detail: string;
}

/** Suggestions that fit `prefix`, those that begin with it first, at most `most`. */
export function rank(suggestions: readonly Suggestion[], prefix: string, most = 60): Suggestion[] {
  const wanted = prefix.toLowerCase();
  const scored: [number, Suggestion][] = [];
  for (const one of suggestions) {
    const at = one.text.toLowerCase().indexOf(wanted);
    if (at >= 0 && one.text !== prefix) scored.push([at === 0 ? 0 : 1, one]);
  }
  return scored
    .sort(([a, one], [b, other]) => a - b || one.text.length - other.text.length || (one.text < other.text ? -1 : 1))
    .slice(0, most)
    .map(([, one]) => one);
}
