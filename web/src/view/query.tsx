import { Component, h } from 'preact';
import { postApiV1FormatQuery, postApiV1Query, postApiV1QueryRange } from '../api/operations';
import type { QueryData, Series } from '../api/types';
import { compact, type GraphData, graphData, shortNames, stepFor } from '../model/graph-data';
import { adding, emptyPanel, maximumPanels, type Panel, readPanels, writePanels, zoomed } from '../model/query';
import { absolute, formatDuration, parseDuration } from '../model/time';
import { link } from '../router';
import type { View } from './context';
import { PromQLEditor } from './editor';
import { colour, Graph } from './graph';
import { Copy, Empty, Fault, Input, Loading } from './parts';
import { historyKey, ResultTable, SavedQueries, stored } from './query-results';

/** Panels with expressions; the address restores all of them. */
export function QueryView(view: View) {
  const { store, page } = view;
  const panels = readPanels(page.place.parameters);
  const go = (next: readonly Panel[], isStep: boolean) => {
    const address = link(['query'], writePanels(next));
    if (isStep) location.hash = address;
    else store.replace(address);
  };
  const isUTC = localStorage.getItem('tribune.utc') === '1';
  return (
    <div class="view">
      <header class="title-row">
        <h1 class="title">Query</h1>
        <label class="check">
          <input
            type="checkbox"
            checked={isUTC}
            onChange={(event: any) => {
              localStorage.setItem('tribune.utc', event.target.checked ? '1' : '0');
              store.change({});
            }}
          />{' '}
          UTC
        </label>
        <Copy text={location.href} what="a link to these panels" />
      </header>
      {panels.map((panel, index) => (
        <PanelCard
          key={String(index)}
          view={view}
          panel={panel}
          index={index}
          isUTC={isUTC}
          set={(next, isStep) =>
            go(
              panels.map((one, at) => (at === index ? next : one)),
              isStep,
            )
          }
          remove={
            panels.length > 1
              ? () =>
                  go(
                    panels.filter((_, at) => at !== index),
                    true,
                  )
              : undefined
          }
        />
      ))}
      {panels.length < maximumPanels ? (
        <p>
          <button
            type="button"
            onClick={() => go([...panels, { ...emptyPanel, range: panels[0].range, end: panels[0].end }], true)}
          >
            Add a panel
          </button>
        </p>
      ) : null}
    </div>
  );
}

export interface Result {
  now: QueryData;
  drawn: GraphData | null;
  start: number;
  end: number;
  step: number;
  notes: string[];
  seconds: number;
}
interface Props {
  view: View;
  panel: Panel;
  index: number;
  isUTC: boolean;
  set: (panel: Panel, isStep: boolean) => void;
  remove?: () => void;
}
interface State {
  draft: string;
  result?: Result;
  fault?: string;
  isRunning: boolean;
  hidden: ReadonlySet<string>;
}

class PanelCard extends Component<Props, State> {
  state: State = { draft: this.props.panel.expression, isRunning: false, hidden: new Set() };
  private abort?: AbortController;

  componentDidMount() {
    if (this.props.panel.expression !== '') void this.run();
  }

  componentDidUpdate(former: Props) {
    const [a, b] = [former.panel, this.props.panel];
    if (a.expression !== b.expression) this.setState({ draft: b.expression, hidden: new Set() });
    if (a.expression !== b.expression || a.range !== b.range || a.end !== b.end || a.step !== b.step) void this.run();
  }

  componentWillUnmount() {
    this.abort?.abort();
  }

  private readonly submit = () => {
    const expression = this.state.draft.trim();
    const { panel, set } = this.props;
    if (expression === panel.expression) void this.run();
    else set({ ...panel, expression }, true);
  };

  private async run() {
    const { panel, view } = this.props;
    this.abort?.abort();
    if (panel.expression === '') return this.setState({ result: undefined, fault: undefined, isRunning: false });
    const abort = new AbortController();
    this.abort = abort;
    this.setState({ isRunning: true });
    const { client } = view.store;
    const step = panel.step ?? stepFor(panel.range);
    const end = panel.end ?? Math.floor(Date.now() / 1000);
    const started = performance.now();
    try {
      const now = await client.sendNoted(
        postApiV1Query,
        { query: panel.expression, time: end, limit: 1000 },
        abort.signal,
      );
      const isDrawable = now.data.resultType === 'vector' || now.data.resultType === 'scalar';
      const range = isDrawable
        ? await client.sendNoted(
            postApiV1QueryRange,
            {
              query: panel.expression,
              start: end - panel.range,
              end,
              step: String(step),
              limit: 1000,
            },
            abort.signal,
          )
        : null;
      const series = range?.data.resultType === 'matrix' ? (range.data.result as Series[]) : [];
      localStorage.setItem(historyKey, JSON.stringify(adding(panel.expression, stored(historyKey))));
      this.setState({
        isRunning: false,
        fault: undefined,
        result: {
          now: now.data,
          drawn: range ? graphData(series, end - panel.range, end, step) : null,
          start: end - panel.range,
          end,
          step,
          notes: [...new Set([...now.notes, ...(range?.notes ?? [])])],
          seconds: (performance.now() - started) / 1000,
        },
      });
    } catch (fault) {
      if (!abort.signal.aborted) this.setState({ isRunning: false, fault: (fault as Error).message });
    }
  }

  private readonly format = () => {
    this.props.view.store.client.send(postApiV1FormatQuery, { query: this.state.draft }).then(
      (draft) => this.setState({ draft }),
      (fault) => this.setState({ fault: (fault as Error).message }),
    );
  };

  private toggle(name: string, only: boolean) {
    const names = this.state.result?.drawn?.names ?? [];
    const hidden = new Set(this.state.hidden);
    if (only) {
      const isAlone = names.every((one) => (one === name) !== hidden.has(one));
      hidden.clear();
      if (!isAlone)
        names.forEach((one) => {
          if (one !== name) hidden.add(one);
        });
    } else if (!hidden.delete(name)) hidden.add(name);
    this.setState({ hidden });
  }

  render() {
    const { panel, index, set, remove, view, isUTC } = this.props;
    const { draft, result, fault, isRunning } = this.state;
    const shift = (factor: number) =>
      set(
        { ...panel, end: Math.min(Date.now() / 1000, (panel.end ?? Date.now() / 1000) + panel.range * factor) },
        true,
      );
    const scale = (factor: number) =>
      set({ ...panel, range: Math.max(10, Math.round(panel.range * factor)), step: null }, true);
    const local = panel.end === null ? '' : localText(panel.end);
    return (
      <section class="card wide panel" aria-label={`Panel ${index + 1}`} aria-busy={String(isRunning)}>
        <div class="panel-head">
          <PromQLEditor
            store={view.store}
            text={draft}
            label={`Expression of panel ${index + 1}`}
            onChange={(text) => {
              if (text !== this.state.draft) this.setState({ draft: text });
            }}
            onRun={this.submit}
          />
          <button type="button" class="main" onClick={this.submit}>
            Run
          </button>
        </div>
        <div class="controls">
          <span class="group" role="group" aria-label="Range">
            <button type="button" aria-label="Half the range" onClick={() => scale(0.5)}>
              −
            </button>
            <label>
              <span class="hidden">Range</span>
              <Input
                class="short"
                initial={formatDuration(panel.range)}
                aria-label="Range"
                onChange={(event: any) => {
                  const seconds = parseDuration(event.target.value);
                  if (seconds) set({ ...panel, range: seconds, step: null }, true);
                  else event.target.value = formatDuration(panel.range);
                }}
              />
            </label>
            <button type="button" aria-label="Twice the range" onClick={() => scale(2)}>
              +
            </button>
          </span>
          <span class="group" role="group" aria-label="End">
            <button type="button" aria-label="Earlier" onClick={() => shift(-0.5)}>
              ‹
            </button>
            <Input
              type="datetime-local"
              step="1"
              aria-label="End time"
              initial={local}
              onChange={(event: any) => {
                const time = Date.parse(event.target.value);
                set({ ...panel, end: Number.isNaN(time) ? null : time / 1000 }, true);
              }}
            />
            <button type="button" aria-label="Later" disabled={panel.end === null} onClick={() => shift(0.5)}>
              ›
            </button>
            <button type="button" disabled={panel.end === null} onClick={() => set({ ...panel, end: null }, true)}>
              Now
            </button>
          </span>
          <label>
            Step{' '}
            <Input
              class="short"
              placeholder={formatDuration(stepFor(panel.range))}
              initial={panel.step ? formatDuration(panel.step) : ''}
              onChange={(event: any) => set({ ...panel, step: parseDuration(event.target.value) || null }, true)}
            />
          </label>
          <span class="group" role="group" aria-label="View">
            <button
              type="button"
              aria-pressed={String(panel.view === 'graph')}
              onClick={() => set({ ...panel, view: 'graph' }, false)}
            >
              Graph
            </button>
            <button
              type="button"
              aria-pressed={String(panel.view === 'table')}
              onClick={() => set({ ...panel, view: 'table' }, false)}
            >
              Table
            </button>
          </span>
          {panel.view === 'graph' ? (
            <label class="check">
              <input
                type="checkbox"
                checked={panel.isStacked}
                onChange={(event: any) => set({ ...panel, isStacked: event.target.checked }, false)}
              />{' '}
              Stacked
            </label>
          ) : null}
          <button type="button" onClick={this.format}>
            Format
          </button>
          <SavedQueries text={draft} choose={(expression) => set({ ...panel, expression }, true)} />
          {remove ? (
            <button type="button" class="right" onClick={remove} aria-label={`Remove panel ${index + 1}`}>
              Remove
            </button>
          ) : null}
        </div>
        {result?.notes.map((note) => (
          <p class="notice warn" key={note}>
            {note}
          </p>
        ))}
        {fault ? <Fault text={fault} /> : null}
        {!result && !fault ? (
          panel.expression === '' ? (
            <Empty title="Write an expression and press Enter.">
              <p class="quiet">Names of metrics, labels and functions are offered while you type.</p>
            </Empty>
          ) : (
            <Loading lines={8} />
          )
        ) : null}
        {result && !fault ? panel.view === 'graph' ? this.graph(result, isUTC) : <ResultTable result={result} /> : null}
        {result ? (
          <p class="quiet small-text" data-series={String(result.drawn?.names.length ?? 0)}>
            {result.drawn?.names.length ?? 0} series, step {formatDuration(result.step)}, until{' '}
            {absolute(result.end * 1000, isUTC)}, in {(result.seconds * 1000).toFixed(0)} ms
          </p>
        ) : null}
      </section>
    );
  }

  private graph(result: Result, isUTC: boolean) {
    const { panel, set } = this.props;
    const { hidden } = this.state;
    if (!result.drawn) return <ResultTable result={result} />;
    const { drawn } = result;
    if (drawn.names.length === 0)
      return (
        <Empty title={`No series had a value in the last ${formatDuration(panel.range)}.`}>
          <p class="quiet">Try a longer range, or check names and labels.</p>
        </Empty>
      );
    const names = shortNames(drawn.labels);
    const colours = names.map((_, index) => colour(index));
    return (
      <div>
        <Graph label={`Graph of ${panel.expression}`} spec={this.spec(result, drawn, names, colours, isUTC)} />
        <ul class="legend" aria-label="Series">
          {drawn.names.slice(0, 200).map((name, index) => (
            <li key={name}>
              <button
                type="button"
                aria-pressed={String(!hidden.has(name))}
                title={`${name}: click hides or shows it, Shift+click shows it alone`}
                onClick={(event: MouseEvent) => this.toggle(name, event.shiftKey)}
              >
                <i style={{ background: colours[index] }} /> {names[index]}{' '}
                <b>{compact(last(drawn.rows, index + 1))}</b>
              </button>
            </li>
          ))}
          {drawn.names.length > 200 ? <li class="quiet">and {drawn.names.length - 200} more</li> : null}
        </ul>
        {panel.end !== null ? (
          <p>
            <button
              type="button"
              class="small"
              onClick={() => set({ ...panel, range: emptyPanel.range, end: null, step: null }, true)}
            >
              Reset the zoom
            </button>
          </p>
        ) : null}
      </div>
    );
  }

  private lastSpec?: { key: unknown[]; spec: any };

  /** The same object until something in it changes: the graph is drawn anew only then. */
  private spec(result: Result, drawn: GraphData, names: string[], colours: string[], isUTC: boolean) {
    const { panel, set } = this.props;
    const { hidden } = this.state;
    const key = [result, hidden, panel.isStacked, isUTC];
    if (this.lastSpec?.key.every((one, index) => one === key[index])) return this.lastSpec.spec;
    const spec = {
      rows: drawn.rows,
      names,
      colours,
      visible: drawn.names.map((name) => !hidden.has(name)),
      isStacked: panel.isStacked,
      isUTC,
      limits: [],
      marks: [],
      window: [result.start * 1000, result.end * 1000] as const,
      format: compact,
      onZoom: (from: number, to: number) => set(zoomed(this.props.panel, from, to), true),
    };
    this.lastSpec = { key, spec };
    return spec;
  }
}

function last(rows: readonly number[][], column: number): number {
  for (let index = rows.length - 1; index >= 0; index -= 1)
    if (!Number.isNaN(rows[index][column])) return rows[index][column];
  return NaN;
}

function localText(seconds: number): string {
  return absolute(seconds * 1000).replace(' ', 'T');
}
