import type { LedgerEvent } from '../api/types';

export const kinds = [
  'violation',
  'decision',
  'rollback_step',
  'alert',
  'page',
  'acknowledgement',
  'schedule',
  'silence',
  'deployment',
  'checkpoint',
  'verdict',
  'config_change',
  'order',
  'login',
  'denied',
  'token_use',
  'migration',
  'retention',
  'measurements',
  'node_key',
  'erasure',
  'gap',
  'damage',
] as const;
export type Kind = (typeof kinds)[number];

/** What one searches for. Empty texts match everything. */
export interface Search {
  readonly kind: string;
  readonly service: string;
  readonly incident: string;
  readonly text: string;
  readonly from: string;
  readonly to: string;
}

export function readSearch(parameters: URLSearchParams): Search {
  const get = (name: string) => parameters.get(name) ?? '';
  return {
    kind: get('kind'),
    service: get('service'),
    incident: get('incident'),
    text: get('text'),
    from: get('from'),
    to: get('to'),
  };
}

/** The kinds that a search asks for. Batches of measurements arrive every few seconds: they are shown only when asked for. */
export function wantedKinds(search: Search): Kind[] {
  if (search.kind === 'all') return [];
  if (search.kind !== '') return kinds.filter((kind) => kind === search.kind);
  return kinds.filter((kind) => kind !== 'measurements');
}

/** An instant from the text of a `datetime-local` field, in the zone of the page, as seconds; `undefined` for none. */
export function instant(text: string): number | undefined {
  const milliseconds = Date.parse(text);
  return text === '' || Number.isNaN(milliseconds) ? undefined : milliseconds / 1000;
}

/** The period and service of an evidence pack: those of the search, or the last 30 days. */
export function packScope(
  search: Search,
  now: number,
): { input: { start: number; end?: number; service: string }; words: string } {
  const end = instant(search.to);
  const start = instant(search.from) ?? (end ?? now / 1000) - 30 * 86_400;
  const day = (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 10);
  const period = `${day(start)} to ${end === undefined ? 'now' : day(end)}`;
  return {
    input: { start: Math.floor(start), end, service: search.service },
    words: search.service ? `${period}, entries of ${search.service} and of no service` : period,
  };
}

/** One line that says what an event is about. */
export function gist(event: LedgerEvent): string {
  const body = event.body as { [name: string]: any };
  const trip = body['cause']?.trip ?? body['causes']?.[0]?.trip;
  const parts = [
    body['step'],
    body['verb'] ?? body['command'],
    body['decision'],
    body['detail'],
    body['condition'],
    body['state'],
    body['receiver'] && `to ${body['receiver']}`,
    typeof body['by'] === 'string' && `by ${body['by']}`,
    body['comment'],
    body['error'],
    body['reason'],
    body['request'],
    body['annotations']?.summary,
    !body['detail'] && trip?.name,
    body['name'],
  ];
  return parts.filter((part) => typeof part === 'string' && part !== '').join(' · ');
}

/** The last part of a rule's identity, which is `file;group;rule`. */
export function subject(event: LedgerEvent): string {
  return event.subject.startsWith('{') ? event.subject : (event.subject.split(/[/;]/).pop() ?? event.subject);
}
