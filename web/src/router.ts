/** A place in the application: the path and parameters behind `#/`. */
export interface Place {
  readonly path: readonly string[];
  readonly parameters: URLSearchParams;
}

/** Reads the fragment of an address; those of earlier versions (`#rollouts`, `?expr=…#query`) lead to the same views. */
export function parsePlace(hash: string, search = ''): Place {
  const text = hash.replace(/^#\/?/, '');
  const [path, parameters] = [text.split('?')[0], text.split('?').slice(1).join('?')];
  const found = new URLSearchParams(parameters);
  const expression = new URLSearchParams(search).get('expr');
  if (expression !== null && !found.has('g0.expr')) found.set('g0.expr', expression);
  const parts = path
    .split('/')
    .filter((part) => part !== '')
    .map(decode);
  if (parts.length === 0 && expression !== null) parts.push('query');
  if (parts[0] === 'ledger') parts[0] = 'evidence';
  return { path: parts, parameters: found };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The fragment that leads to a place. */
export function link(
  path: readonly string[],
  parameters?: { [name: string]: string | undefined } | URLSearchParams,
): string {
  const search = parameters instanceof URLSearchParams ? new URLSearchParams(parameters) : new URLSearchParams();
  if (parameters && !(parameters instanceof URLSearchParams)) {
    for (const [name, value] of Object.entries(parameters)) if (value) search.set(name, value);
  }
  const text = search.toString();
  return `#/${path.map(encodeURIComponent).join('/')}${text ? `?${text}` : ''}`;
}

/** The views of the navigation, with the key that leads there after `g`. */
export const sections = [
  { name: '', title: 'Now', key: 'n' },
  { name: 'rollouts', title: 'Rollouts', key: 'r' },
  { name: 'alerts', title: 'Alerts', key: 'a' },
  { name: 'oncall', title: 'On-call', key: 'o' },
  { name: 'query', title: 'Query', key: 'q' },
  { name: 'targets', title: 'Targets', key: 't' },
  { name: 'rules', title: 'Rules', key: 'u' },
  { name: 'evidence', title: 'Evidence', key: 'e' },
  { name: 'status', title: 'Status', key: 's' },
] as const;
