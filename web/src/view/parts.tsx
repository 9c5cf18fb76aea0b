import { Component, h } from 'preact';
import type { LabelSet, Split } from '../api/types';
import { seriesText } from '../model/labels';
import type { Tone } from '../model/now';
import { shareText } from '../model/rollout';
import { absolute, relative } from '../model/time';

/** Children of an element. */
export type Content = any;

const signs: { [tone in Tone]: string } = { good: '✓', warn: '◐', bad: '✕', plain: '·' };

const drawings = {
  copy: 'M9 9h10v10H9zM5 15V5h10',
  done: 'M5 12l5 5L19 7',
  search: 'M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5 20 20',
  theme: 'M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16',
  keys: 'M3 7h18v10H3zM7 11h.01M11 11h.01M15 11h.01M8 14h8',
  close: 'M6 6l12 12M18 6 6 18',
};

/** A small drawing beside or in place of a word. */
export function Icon({ name }: { name: keyof typeof drawings }) {
  return (
    <svg class={`drawing ${name}`} viewBox="0 0 24 24" aria-hidden="true">
      <path d={drawings[name]} />
    </svg>
  );
}

/** A state, told by its sign, its word and its colour. */
export function Badge({ tone, text, title }: { tone: Tone; text: string; title?: string }) {
  return (
    <span class={`badge ${tone}`} title={title}>
      <span aria-hidden="true">{signs[tone]}</span> {text}
    </span>
  );
}

/** A time, relative to now; the date is shown on hover. */
export function Time({ at, now }: { at: string | number | null | undefined; now: number }) {
  const milliseconds = typeof at === 'number' ? at : Date.parse(at ?? '');
  if (!Number.isFinite(milliseconds) || milliseconds <= 0) return <span class="quiet">never</span>;
  return (
    <time dateTime={new Date(milliseconds).toISOString()} title={absolute(milliseconds)}>
      {relative(milliseconds, now)}
    </time>
  );
}

/** Labels as small boxes. `only` names those that tell the rows apart; the others are in the tip. */
export function Labels({ labels, only }: { labels: LabelSet; only?: readonly string[] }) {
  const names = (only ?? Object.keys(labels).sort()).filter(
    (name) => labels[name] !== undefined && name !== '__name__',
  );
  return (
    <span class="labels" title={seriesText(labels)}>
      {labels['__name__'] ? <code>{labels['__name__']}</code> : null}
      {names.map((name) => (
        <span class="label" key={name}>
          <i>{name}</i>
          {labels[name]}
        </span>
      ))}
    </span>
  );
}

export function Empty({ title, children }: { title: string; children?: Content }) {
  return (
    <div class="empty">
      <p>{title}</p>
      {children}
    </div>
  );
}

export function Fault({ text, retry }: { text: string; retry?: () => void }) {
  return (
    <div class="notice bad" role="alert">
      <p>{text}</p>
      {retry ? (
        <button type="button" onClick={retry}>
          Try again
        </button>
      ) : null}
    </div>
  );
}

/** Lines of the height of what comes, so that nothing jumps when it does. */
export function Loading({ lines = 3 }: { lines?: number }) {
  return (
    <div class="loading" role="status" aria-label="Loading">
      {new Array(lines).fill(0).map((_, index) => (
        <i key={String(index)} />
      ))}
    </div>
  );
}

/** Copies a text, and says so. */
export class Copy extends Component<{ text: string; what: string }, { isDone: boolean }> {
  state = { isDone: false };

  render() {
    const { text, what } = this.props;
    return (
      <button
        type="button"
        class="icon"
        aria-label={`Copy ${what}`}
        title={`Copy ${what}`}
        onClick={(event: Event) => {
          event.stopPropagation();
          void navigator.clipboard.writeText(text).then(() => {
            this.setState({ isDone: true });
            window.setTimeout(() => this.setState({ isDone: false }), 1500);
          });
        }}
      >
        <Icon name={this.state.isDone ? 'done' : 'copy'} />
      </button>
    );
  }
}

/** A section of the page. */
export function Card({
  title,
  id,
  aside,
  children,
  wide,
}: {
  title: string;
  id: string;
  aside?: Content;
  children?: Content;
  wide?: boolean;
  key?: string;
}) {
  return (
    <section class={wide ? 'card wide' : 'card'} aria-labelledby={`${id}-title`}>
      <header class="card-head">
        <h2 id={`${id}-title`}>{title}</h2>
        {aside ?? null}
      </header>
      {children}
    </section>
  );
}

export interface ModalProps {
  title: string;
  confirm?: string;
  isDangerous?: boolean;
  close: () => void;
  /** Throws with the words to show; the dialog stays open then. */
  submit?: (form: FormData) => Promise<void>;
  children?: Content;
}

/** A field that begins with `initial` and keeps what is typed while the page around it is drawn anew. */
export class Input extends Component<{ initial: string; isTicked?: boolean; [attribute: string]: any }, object> {
  private element?: HTMLInputElement;

  componentDidMount() {
    this.set();
  }

  componentDidUpdate(former: { initial: string }) {
    if (former.initial !== this.props.initial) this.set();
  }

  private set() {
    if (!this.element) return;
    this.element.value = this.props.initial;
    this.element.checked = this.props.isTicked === true;
  }

  render() {
    const { initial: _, isTicked: __, children: ___, ...attributes } = this.props;
    return (
      <input
        {...attributes}
        ref={(element?: Element) => {
          this.element = element as HTMLInputElement;
        }}
      />
    );
  }
}

/** A dialog with one form. Enter does what the main button says, Escape closes. */
export class Modal extends Component<ModalProps, { fault: string; isBusy: boolean }> {
  state = { fault: '', isBusy: false };
  private element?: HTMLDialogElement;
  private former: Element | null = null;

  componentDidMount() {
    this.former = document.activeElement;
    this.element?.showModal();
    const first = this.element?.querySelector<HTMLElement>('[data-first], input, textarea, select, button.main');
    first?.focus();
  }

  componentWillUnmount() {
    // Preact keeps the elements for the next dialog, which must find it closed and its fields empty.
    this.element?.querySelector('form')?.reset();
    this.element?.close();
    if (this.former instanceof HTMLElement) this.former.focus();
  }

  private async send(event: Event) {
    event.preventDefault();
    const { submit, close } = this.props;
    if (!submit) return close();
    this.setState({ isBusy: true, fault: '' });
    try {
      await submit(new FormData(event.target as HTMLFormElement));
      close();
    } catch (fault) {
      this.setState({ fault: fault instanceof Error ? fault.message : String(fault), isBusy: false });
    }
  }

  render() {
    const { title, confirm, isDangerous, close, children } = this.props;
    const { fault, isBusy } = this.state;
    return (
      <dialog
        ref={(element?: Element) => {
          this.element = element as HTMLDialogElement;
        }}
        aria-labelledby="dialog-title"
        onCancel={(event: Event) => {
          event.preventDefault();
          close();
        }}
      >
        <form onSubmit={(event: Event) => void this.send(event)}>
          <h2 id="dialog-title">{title}</h2>
          {children}
          {fault ? (
            <p class="notice bad" role="alert">
              {fault}
            </p>
          ) : null}
          <div class="controls end">
            <button type="button" onClick={close}>
              {confirm ? 'Cancel' : 'Close'}
            </button>
            {confirm ? (
              <button type="submit" class={isDangerous ? 'main danger' : 'main'} disabled={isBusy}>
                {confirm}
              </button>
            ) : null}
          </div>
        </form>
      </dialog>
    );
  }
}

interface VirtualProps<Row> {
  rows: readonly Row[];
  height: number;
  label: string;
  render: (row: Row, index: number) => Content;
}

/** A list of which only the rows in sight are in the page; every row has the same height. */
export class VirtualList<Row> extends Component<VirtualProps<Row>, { first: number; count: number }> {
  state = { first: 0, count: 40 };
  private element?: HTMLElement;
  private readonly update = () => {
    if (!this.element) return;
    const top = this.element.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(-top / this.props.height) - 10);
    const count = Math.ceil(window.innerHeight / this.props.height) + 20;
    if (first !== this.state.first || count !== this.state.count) this.setState({ first, count });
  };

  componentDidMount() {
    window.addEventListener('scroll', this.update, { passive: true });
    window.addEventListener('resize', this.update);
    this.update();
  }

  componentWillUnmount() {
    window.removeEventListener('scroll', this.update);
    window.removeEventListener('resize', this.update);
  }

  render() {
    const { rows, height, label, render } = this.props;
    const first = Math.min(this.state.first, Math.max(0, rows.length - 1));
    const shown = rows.slice(first, first + this.state.count);
    return (
      <div
        class="virtual"
        role="list"
        aria-label={label}
        style={{ height: `${rows.length * height}px` }}
        ref={(element?: Element) => {
          this.element = element as HTMLElement;
        }}
      >
        {shown.map((row, index) => (
          <div
            class="virtual-row"
            role="listitem"
            aria-setsize={rows.length}
            aria-posinset={first + index + 1}
            key={String(first + index)}
            style={{ top: `${(first + index) * height}px`, height: `${height}px` }}
          >
            {render(row, first + index)}
          </div>
        ))}
      </div>
    );
  }
}

/** A small line without axes; the numbers beside it are what counts. */
export function Sparkline({
  values: all,
  limit,
  label,
}: {
  values: readonly number[];
  limit?: number | null;
  label: string;
}) {
  // It begins where the data begin: a line of a minute in ten would be a dot.
  const values = all.slice(Math.max(0, all.findIndex(Number.isFinite)));
  const known = values.filter(Number.isFinite);
  if (known.length < 2) return <span class="spark quiet">–</span>;
  const shown = limit === null || limit === undefined ? known : [...known, limit];
  const [low, high] = [Math.min(...shown), Math.max(...shown)];
  const y = (value: number) => (high === low ? 12 : 22 - ((value - low) / (high - low)) * 20);
  let path = '';
  values.forEach((value, index) => {
    if (!Number.isFinite(value)) return;
    const isStart = index === 0 || !Number.isFinite(values[index - 1]);
    path += `${isStart ? 'M' : 'L'}${((index / (values.length - 1)) * 118 + 1).toFixed(1)} ${y(value).toFixed(1)}`;
  });
  return (
    <svg class="spark" viewBox="0 0 120 24" role="img" aria-label={label}>
      {limit === null || limit === undefined ? null : <path class="limit" d={`M0 ${y(limit).toFixed(1)}H120`} />}
      <path class="line" d={path} />
    </svg>
  );
}

/** The division of traffic between stable and candidate. */
export function SplitBar({ wanted, observed }: { wanted: Split; observed: Split | null }) {
  const live = observed ?? wanted;
  const text = `wanted ${shareText(wanted)}, ${observed ? `read ${shareText(observed)}` : 'not read yet'}`;
  return (
    <div class="split" role="img" aria-label={`Candidate: ${text}`} title={`Candidate: ${text}`}>
      <span class="track">
        <span class="share" style={{ width: `${live.candidate}%` }} />
        <span class="wanted" style={{ left: `${100 - wanted.candidate}%` }} />
      </span>
      <b>{shareText(live)}</b>
    </div>
  );
}
