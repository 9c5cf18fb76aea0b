import { APIFailure, Client } from '../api/client';
import {
  getApiV1AccessWhoami,
  getApiV1Alerts,
  getApiV1HistoryStatus,
  getApiV1OncallPages,
  getApiV1OncallSchedules,
  getApiV1Rollouts,
  getApiV1Rules,
  getApiV1Targets,
  getApiV2Silences,
} from '../api/operations';
import { type Place, parsePlace } from '../router';
import { type List, type Live, lost, received } from './live';
import { Feed, type StreamEvent } from './stream';

/** A question to the person, or a form, above the page. */
export type Dialog = null | { render: () => JSX.Element };

export interface Page {
  readonly live: Live;
  readonly place: Place;
  readonly theme: 'auto' | 'light' | 'dark';
  readonly dialog: Dialog;
  /** What was done, for a few seconds. */
  readonly message: string;
  readonly now: number;
}

type Loadable = List | 'groups' | 'silences' | 'history' | 'identity' | 'pages' | 'schedules';

/** How old a list may be before it is read again while it is shown; those of the stream change at once. */
const periods: { [name in Loadable]: number } = {
  rollouts: 30_000,
  alerts: 15_000,
  targets: 15_000,
  groups: 10_000,
  silences: 15_000,
  history: 10_000,
  identity: 60_000,
  pages: 5_000,
  schedules: 60_000,
};

/**
 * The state of the page and what changes it. One per page; everything runs on the browser's one thread.
 *
 * Changes by the stream are shown at most five times a second, changes by the person at once.
 */
export class Store {
  page: Page;
  private listener: () => void = () => {};
  private pending = 0;
  private readonly readAt = new Map<Loadable, number>();
  private readonly running = new Set<Loadable>();
  private readonly feed: Feed;
  private token: string | null = sessionStorage.getItem('tribune.token');
  readonly client: Client;

  constructor(base: URL) {
    this.client = new Client(base, () => this.token);
    this.page = {
      live: { connection: { state: 'connecting' } },
      place: parsePlace(location.hash, location.search),
      theme: (localStorage.getItem('tribune.theme') as Page['theme'] | null) ?? 'auto',
      dialog: null,
      message: '',
      now: Date.now(),
    };
    this.feed = new Feed(this.client.address('v1/events/stream'), () => this.client.headers(), {
      connected: () => {
        this.setLive({ ...this.page.live, connection: { state: 'live' } });
        // Nobody knows what was missed.
        this.readAt.clear();
        this.refresh();
      },
      event: (event) => this.received(event),
      lost: (failures, reason) => void this.lost(failures, reason),
    });
  }

  start(listener: () => void): void {
    this.listener = listener;
    this.applyTheme();
    this.feed.start();
    this.refresh();
    window.setInterval(() => {
      if (document.hidden) return;
      this.change({ now: Date.now() });
      this.refresh();
    }, 1000);
    window.addEventListener('hashchange', () => this.change({ place: parsePlace(location.hash, location.search) }));
    window.addEventListener('online', () => this.feed.restart());
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.change({ now: Date.now() });
    });
  }

  change(part: Partial<Page>): void {
    this.page = { ...this.page, ...part };
    window.clearTimeout(this.pending);
    this.pending = 0;
    this.listener();
  }

  private setLive(live: Live): void {
    this.page = { ...this.page, live };
    if (this.pending !== 0) return;
    this.pending = window.setTimeout(() => {
      this.pending = 0;
      this.listener();
    }, 200);
  }

  private received(event: StreamEvent): void {
    const { live, stale } = received(this.page.live, event);
    if (live !== this.page.live) this.setLive(live);
    for (const list of stale) this.load(list);
    if (stale.includes('alerts')) this.load('groups');
  }

  private async lost(failures: number, reason: string): Promise<void> {
    let answered = true;
    try {
      await this.client.send(getApiV1AccessWhoami, {});
    } catch (fault) {
      answered = fault instanceof APIFailure && fault.status !== 0;
    }
    if (this.page.live.connection.state === 'live' && failures < 2) return;
    this.setLive(lost(this.page.live, failures, reason, answered, Date.now()));
  }

  /** Reads lists that are older than their period. Without the stream, and in the view of a list, that is 5 s. */
  refresh(): void {
    const isLive = this.page.live.connection.state === 'live';
    for (const name of Object.keys(periods) as Loadable[]) {
      const age = Date.now() - (this.readAt.get(name) ?? 0);
      const isShown = this.page.place.path[0] === name;
      if (age > (isLive && !isShown ? periods[name] : 5000)) this.load(name);
    }
  }

  /** Reads a list now. While it is being read, further calls are one call. */
  load(name: Loadable): void {
    if (this.running.has(name)) return;
    this.running.add(name);
    this.readAt.set(name, Date.now());
    void this.read(name)
      .catch(() => {
        // The connection's state says it; the next refresh tries again.
      })
      .then(() => this.running.delete(name));
  }

  private async read(name: Loadable): Promise<void> {
    const { client } = this;
    const set = (part: Partial<Live>) => this.setLive({ ...this.page.live, ...part });
    switch (name) {
      case 'rollouts':
        return set({ rollouts: (await client.send(getApiV1Rollouts, {})).rollouts });
      case 'alerts':
        return set({ alerts: (await client.send(getApiV1Alerts, {})).alerts });
      case 'targets':
        return set({ targets: (await client.send(getApiV1Targets, { state: 'active' })).activeTargets });
      case 'groups':
        return set({ groups: (await client.send(getApiV1Rules, {})).groups });
      case 'silences':
        return set({ silences: await client.send(getApiV2Silences, {}) });
      case 'identity':
        return set({ identity: await client.send(getApiV1AccessWhoami, {}) });
      case 'pages':
        return set({ pages: (await client.send(getApiV1OncallPages, {})).pages });
      case 'schedules':
        return set({ schedules: (await client.send(getApiV1OncallSchedules, {})).schedules });
      case 'history':
        return set({
          history: await client.send(getApiV1HistoryStatus, {}).catch((fault) => {
            if (fault instanceof APIFailure && fault.status !== 0) return null;
            throw fault;
          }),
        });
    }
  }

  /** Uses `token` in this tab until it is closed, and reads everything again as its owner. */
  useToken(token: string | null): void {
    this.token = token;
    if (token === null) sessionStorage.removeItem('tribune.token');
    else sessionStorage.setItem('tribune.token', token);
    this.readAt.clear();
    this.feed.restart();
    this.load('identity');
  }

  hasToken(): boolean {
    return this.token !== null;
  }

  /** Goes to a place without an entry in the browser's history. */
  replace(address: string): void {
    history.replaceState(null, '', address);
    this.change({ place: parsePlace(location.hash, location.search) });
  }

  say(message: string): void {
    this.change({ message });
    window.setTimeout(() => {
      if (this.page.message === message) this.change({ message: '' });
    }, 4000);
  }

  setTheme(theme: Page['theme']): void {
    localStorage.setItem('tribune.theme', theme);
    this.change({ theme });
    this.applyTheme();
  }

  private applyTheme(): void {
    if (this.page.theme === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = this.page.theme;
    window.dispatchEvent(new Event('tribune-theme'));
  }
}
