import type { Page } from '../api/types';
import { link } from '../router';
import type { Finding, Tone } from './now';

export type PageVerb = 'acknowledge' | 'resolve' | 'snooze' | 'reassign' | 'escalate' | 'note';

/** An answer that a page takes in its state, with the field that it asks for. */
export interface PageAnswer {
  verb: PageVerb;
  title: string;
  consequence: string;
  field?: { name: 'for' | 'text' | 'person'; label: string; initial: string };
}

/** The answers that the state of a page allows, the likeliest first. */
export function answers(page: Page): PageAnswer[] {
  if (page.state === 'resolved') return [];
  const all: PageAnswer[] = [
    { verb: 'acknowledge', title: 'Acknowledge', consequence: 'Nobody else is called. You have it.' },
    {
      verb: 'escalate',
      title: 'Escalate',
      consequence: 'The next step of the policy is called now.',
    },
    {
      verb: 'snooze',
      title: 'Snooze',
      consequence: 'Nobody is called until then; afterwards the policy goes on.',
      field: { name: 'for', label: 'For', initial: '1h' },
    },
    {
      verb: 'reassign',
      title: 'Reassign',
      consequence: 'This person is called now, in place of the policy.',
      field: { name: 'person', label: 'To', initial: '' },
    },
    {
      verb: 'note',
      title: 'Note',
      consequence: 'The note stays with the page and in the record.',
      field: { name: 'text', label: 'Note', initial: '' },
    },
    { verb: 'resolve', title: 'Resolve', consequence: 'The page ends. A problem that goes on opens another one.' },
  ];
  return all.filter((one) => one.verb !== 'acknowledge' || page.state !== 'acknowledged');
}

export function pageTone(page: Page): Tone {
  switch (page.state) {
    case 'escalating':
      return 'bad';
    case 'resolved':
      return 'good';
    default:
      return 'warn';
  }
}

/** Pages that wait for somebody, and those that somebody has. */
export function pageFindings(pages: readonly Page[]): Finding[] {
  return pages
    .filter((page) => page.state !== 'resolved')
    .map((page) => ({
      tone: page.state === 'escalating' ? 'bad' : 'warn',
      title: `Page: ${page.title}`,
      detail:
        page.state === 'escalating'
          ? `nobody has answered${page.called.length > 0 ? `; called: ${page.called.join(', ')}` : ''}`
          : `${page.state}${page.by ? ` by ${page.by}` : ''}`,
      href: link(['oncall', page.page]),
      since: Date.parse(page.opened),
    }));
}
