import { Component, h } from 'preact';
import { type Found, find } from '../model/find';
import { findings } from '../model/now';
import { relative } from '../model/time';
import { link, sections } from '../router';
import type { Connection } from '../state/live';
import type { Store } from '../state/store';
import { AlertView } from './alert';
import { AlertsView } from './alerts';
import type { View } from './context';
import { EntryView } from './entry';
import { EvidenceView } from './evidence';
import { NowView } from './now';
import { OnCallView, PageView } from './oncall';
import { Empty, Icon, Modal } from './parts';
import { QueryView } from './query';
import { RolloutView } from './rollout';
import { RolloutsView } from './rollouts';
import { RulesView } from './rules';
import { StatusView } from './status';
import { TargetsView } from './targets';

/** The page: header, connection, the view of the place, and the dialog above it. */
export class App extends Component<{ store: Store }, object> {
  private awaitsSection = 0;
  private former = '';

  componentDidMount() {
    this.former = this.props.store.page.place.path.join('/');
    this.props.store.start(() => this.setState({}));
    window.addEventListener('keydown', this.key);
  }

  componentWillUnmount() {
    window.removeEventListener('keydown', this.key);
  }

  componentDidUpdate() {
    const { page } = this.props.store;
    const place = page.place.path.join('/');
    const title =
      [...page.place.path]
        .slice(0, 2)
        .reverse()
        .filter((part) => part.length < 60)
        .join(' · ') || 'Now';
    const bad = findings(page.live).filter((one) => one.tone === 'bad').length;
    document.title = `${bad > 0 ? `(${bad}) ` : ''}${title.charAt(0).toUpperCase()}${title.slice(1)} · Tribune`;
    if (place !== this.former) {
      // Another view begins at its top; the focus goes there with it, so that the keyboard goes on from there.
      this.former = place;
      // On a phone the navigation is wider than the screen.
      document.querySelector('.sections [aria-current]')?.scrollIntoView({ inline: 'center', block: 'nearest' });
      window.scrollTo(0, 0);
      document.querySelector<HTMLElement>('main')?.focus({ preventScroll: true });
    }
  }

  private readonly key = (event: KeyboardEvent) => {
    const { store } = this.props;
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey || store.page.dialog !== null) return;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable) return;
    const awaited = this.awaitsSection;
    this.awaitsSection = 0;
    if (Date.now() - awaited < 1500) {
      const section = sections.find((one) => one.key === event.key);
      if (section) {
        location.hash = link(section.name === '' ? [] : [section.name]);
        event.preventDefault();
      }
      return;
    }
    switch (event.key) {
      case 'g':
        this.awaitsSection = Date.now();
        break;
      case '/': {
        event.preventDefault();
        const field = document.querySelector<HTMLInputElement>('main [data-search]');
        if (field) field.focus();
        else this.search();
        break;
      }
      case 's':
        // The key must not become the first letter of the search.
        event.preventDefault();
        this.search();
        break;
      case '?':
        this.help();
        break;
      case 't':
        this.turnTheme();
        break;
      default:
        return;
    }
  };

  private turnTheme() {
    const { store } = this.props;
    const isDark = getComputedStyle(document.documentElement).getPropertyValue('--is-dark').trim() === '1';
    store.setTheme(isDark ? 'light' : 'dark');
  }

  private search() {
    const { store } = this.props;
    store.change({ dialog: { render: () => <Palette store={store} /> } });
  }

  private help() {
    const { store } = this.props;
    const keys: [string, string][] = [
      ['/', 'the search of this view, or everywhere'],
      ['s', 'search everywhere'],
      ...sections.map((one): [string, string] => [`g ${one.key}`, one.title]),
      ['t', 'dark or light'],
      ['?', 'this list'],
      ['Esc', 'close a dialog'],
      ['Enter', 'run an expression; in a dialog, its main button'],
      ['Ctrl Space', 'complete an expression'],
    ];
    store.change({
      dialog: {
        render: () => (
          <Modal title="Keys" close={() => store.change({ dialog: null })}>
            <dl class="keys">
              {keys.map(([key, what]) => [
                <dt key={`t${key}`}>
                  {key.split(' ').map((one) => (
                    <kbd key={one}>{one}</kbd>
                  ))}
                </dt>,
                <dd key={`d${key}`}>{what}</dd>,
              ])}
            </dl>
          </Modal>
        ),
      },
    });
  }

  render() {
    const { store } = this.props;
    const { page } = store;
    const view: View = { store, page };
    const [section] = page.place.path;
    return (
      <div class="app">
        <a
          class="skip"
          href="#main"
          onClick={(event: Event) => {
            event.preventDefault();
            document.querySelector<HTMLElement>('main')?.focus();
          }}
        >
          Skip to content
        </a>
        <header class="top">
          <div class="bar">
            <a class="brand" href={link([])}>
              <svg viewBox="0 0 24 24" aria-hidden="true">
                <path d="M3 9 12 3l9 6zM5 11v7M10 11v7M14 11v7M19 11v7M3 20h18" />
              </svg>
              Tribune
            </a>
            <nav class="sections" aria-label="Sections">
              {sections.map((one) => (
                <a
                  key={one.name}
                  href={link(one.name === '' ? [] : [one.name])}
                  aria-current={(section ?? '') === one.name ? 'page' : undefined}
                >
                  {one.title}
                </a>
              ))}
            </nav>
            <div class="tools">
              <button
                type="button"
                class="icon"
                aria-label="Search everywhere"
                title="Search everywhere (s)"
                onClick={() => this.search()}
              >
                <Icon name="search" />
              </button>
              <button
                type="button"
                class="icon"
                aria-label="Dark or light"
                title="Dark or light (t)"
                onClick={() => this.turnTheme()}
              >
                <Icon name="theme" />
              </button>
              <button type="button" class="icon" aria-label="Keys" title="Keys (?)" onClick={() => this.help()}>
                <Icon name="keys" />
              </button>
              <a class="who" href={link(['status', 'access'])}>
                {page.live.identity?.name ?? 'Log in'}
              </a>
              <ConnectionSign connection={page.live.connection} />
            </div>
          </div>
        </header>
        <Banner connection={page.live.connection} now={page.now} />
        <main id="main" tabIndex={-1}>
          {content(view)}
        </main>
        <p class={page.message === '' ? 'toast' : 'toast shown'} role="status">
          {page.message}
        </p>
        {page.dialog?.render() ?? null}
      </div>
    );
  }
}

function content(view: View) {
  const [section, name] = view.page.place.path;
  switch (section) {
    case undefined:
      return <NowView {...view} />;
    case 'rollouts':
      return name ? <RolloutView {...view} plan={name} /> : <RolloutsView {...view} />;
    case 'alerts':
      return name ? <AlertView {...view} id={name} /> : <AlertsView {...view} />;
    case 'oncall':
      return name ? <PageView {...view} id={name} /> : <OnCallView {...view} />;
    case 'query':
      return <QueryView {...view} />;
    case 'targets':
      return <TargetsView {...view} />;
    case 'rules':
      return <RulesView {...view} />;
    case 'evidence':
      return name && /^\d+$/.test(name) ? <EntryView {...view} entry={Number(name)} /> : <EvidenceView {...view} />;
    case 'status':
    case 'bottlenecks':
      return <StatusView {...view} part={section === 'bottlenecks' ? 'bottlenecks' : (name ?? '')} />;
    default:
      return (
        <div class="view">
          <h1 class="title">Not here</h1>
          <Empty title={`There is no view "${section}".`}>
            <p>
              <a href={link([])}>Go to Now</a>
            </p>
          </Empty>
        </div>
      );
  }
}

const connectionWords: { [state in Connection['state']]: string } = {
  connecting: 'connecting',
  live: 'live',
  polling: 'every 5 s',
  offline: 'offline',
};

function ConnectionSign({ connection }: { connection: Connection }) {
  return (
    <span class={`connection ${connection.state}`} role="status">
      {connectionWords[connection.state]}
    </span>
  );
}

function Banner({ connection, now }: { connection: Connection; now: number }) {
  if (connection.state !== 'offline') return null;
  return (
    <p class="banner" role="alert">
      The server does not answer since {relative(connection.since, now)}. This page shows what was known then, and tries
      again by itself.
    </p>
  );
}

/** Search over everything that the page knows. */
class Palette extends Component<{ store: Store }, { text: string; at: number }> {
  state = { text: '', at: 0 };

  private go(found: Found | undefined) {
    const { store } = this.props;
    store.change({ dialog: null });
    if (found) location.hash = found.href;
  }

  render() {
    const { store } = this.props;
    const { text, at } = this.state;
    const list = find(store.page.live, text);
    return (
      <Modal title="Search" close={() => store.change({ dialog: null })} submit={async () => this.go(list[at])}>
        <input
          type="search"
          role="combobox"
          aria-expanded="true"
          aria-controls="found"
          aria-activedescendant={`found-${at}`}
          aria-label="Search plans, services, alerts, rules, targets"
          placeholder="Plan, service, alert, rule, target or expression"
          value={text}
          data-first
          autocomplete="off"
          onInput={(event: any) => this.setState({ text: event.target.value, at: 0 })}
          onKeyDown={(event: KeyboardEvent) => {
            const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
            if (step === 0) return;
            event.preventDefault();
            this.setState({ at: Math.max(0, Math.min(list.length - 1, at + step)) });
          }}
        />
        <ul id="found" class="found" role="listbox" aria-label="Places">
          {list.map((one, index) => (
            <li
              key={`${one.kind} ${one.title} ${one.detail}`}
              id={`found-${index}`}
              role="option"
              aria-selected={index === at ? 'true' : 'false'}
              class={index === at ? 'at' : ''}
              onClick={() => this.go(one)}
            >
              <small>{one.kind}</small> <b class="clip">{one.title}</b> <span class="quiet clip">{one.detail}</span>
            </li>
          ))}
        </ul>
      </Modal>
    );
  }
}
