import { Component, h } from 'preact';
import { getApiV1Features, getApiV1LabelNameValues, getApiV1Metadata, postApiV1Labels } from '../api/operations';
import type { EditorHandle, EditorSpec } from '../editor';
import { contextAt, durations, keywords, rank, type Suggestion } from '../model/promql';
import type { Store } from '../state/store';

type EditorModule = { edit: (element: HTMLElement, spec: EditorSpec) => EditorHandle };
let loaded: Promise<EditorModule> | undefined;

/** Names that suggestions come from. Each list is read once, when it is first needed. */
class Names {
  private readonly known = new Map<string, Promise<Suggestion[]>>();

  constructor(private readonly store: Store) {}

  private once(key: string, read: () => Promise<Suggestion[]>): Promise<Suggestion[]> {
    let found = this.known.get(key);
    if (!found) {
      found = read().catch(() => {
        this.known.delete(key);
        return [];
      });
      this.known.set(key, found);
    }
    return found;
  }

  metrics(): Promise<Suggestion[]> {
    return this.once('metrics', async () => {
      const { client } = this.store;
      const [names, metadata] = await Promise.all([
        client.send(getApiV1LabelNameValues, { name: '__name__' }),
        client.send(getApiV1Metadata, { limit_per_metric: 1 }),
      ]);
      return names.map((text) => {
        // Series of a histogram or summary have a suffix that the family has not.
        const family = metadata[text] ?? metadata[text.replace(/_(bucket|sum|count|total|created)$/, '')];
        return {
          text,
          kind: 'metric' as const,
          detail: family?.[0] ? `${family[0].type}: ${family[0].help}` : 'metric',
        };
      });
    });
  }

  functions(): Promise<Suggestion[]> {
    return this.once('functions', async () => {
      const features = await this.store.client.send(getApiV1Features, {});
      const operators = Object.keys(features['promql_operators'] ?? {}).filter(
        (name) => /^[a-z]{3,}/.test(name) && !keywords.includes(name),
      );
      return [...Object.keys(features['promql_functions'] ?? {}), ...operators].map((text) => ({
        text,
        kind: 'function' as const,
        detail: 'function',
      }));
    });
  }

  labels(metric: string | null): Promise<Suggestion[]> {
    return this.once(`labels ${metric ?? ''}`, async () =>
      (await this.store.client.send(postApiV1Labels, metric ? { 'match[]': [metric] } : {})).map((text) => ({
        text,
        kind: 'label' as const,
        detail: 'label',
      })),
    );
  }

  values(label: string, metric: string | null): Promise<Suggestion[]> {
    return this.once(`values ${label} ${metric ?? ''}`, async () =>
      (
        await this.store.client.send(getApiV1LabelNameValues, {
          name: label,
          limit: 1000,
          ...(metric ? { 'match[]': [metric] } : {}),
        })
      ).map((text) => ({ text, kind: 'value' as const, detail: `value of ${label}` })),
    );
  }
}

let names: Names | undefined;

async function complete(store: Store, before: string): Promise<{ prefix: string; suggestions: Suggestion[] }> {
  names ??= new Names(store);
  const context = contextAt(before);
  switch (context.kind) {
    case 'nothing':
      return { prefix: '', suggestions: [] };
    case 'duration':
      return {
        prefix: context.prefix,
        suggestions: rank(
          durations.map((text) => ({ text, kind: 'duration', detail: 'range' })),
          context.prefix,
        ),
      };
    case 'label':
      return { prefix: context.prefix, suggestions: rank(await names.labels(context.metric), context.prefix) };
    case 'value':
      return {
        prefix: context.prefix,
        suggestions: rank(await names.values(context.label, context.metric), context.prefix),
      };
    case 'expression': {
      if (context.prefix === '') return { prefix: '', suggestions: [] };
      const [metrics, functions] = await Promise.all([names.metrics(), names.functions()]);
      const words = keywords.map((text): Suggestion => ({ text, kind: 'keyword', detail: 'keyword' }));
      return { prefix: context.prefix, suggestions: rank([...functions, ...metrics, ...words], context.prefix) };
    }
  }
}

interface Props {
  store: Store;
  text: string;
  label: string;
  onChange: (text: string) => void;
  onRun: () => void;
}

/** A field for PromQL; a plain text field until the editor is loaded. */
export class PromQLEditor extends Component<Props, { isReady: boolean }> {
  state = { isReady: false };
  private element?: HTMLElement;
  private handle?: EditorHandle;
  private isGone = false;

  componentDidMount() {
    loaded ??= import(new URL('editor.js', document.baseURI).href) as Promise<EditorModule>;
    void loaded.then((module) => {
      if (this.isGone || !this.element) return;
      const hadFocus = this.element.contains(document.activeElement);
      this.setState({ isReady: true }, () => {
        if (!this.element) return;
        this.handle = module.edit(this.element, {
          text: this.props.text,
          label: this.props.label,
          placeholder: 'An expression, such as rate(http_requests_total[5m])',
          onChange: (text) => this.props.onChange(text),
          onRun: () => this.props.onRun(),
          complete: (before) => complete(this.props.store, before),
        });
        if (hadFocus) this.handle.focus();
      });
    });
  }

  componentDidUpdate(former: Props) {
    if (former.text !== this.props.text) this.handle?.setText(this.props.text);
  }

  componentWillUnmount() {
    this.isGone = true;
    this.handle?.destroy();
  }

  render() {
    const { text, label, onChange, onRun } = this.props;
    return (
      <div
        class="editor"
        ref={(element?: Element) => {
          this.element = element as HTMLElement;
        }}
      >
        {this.state.isReady ? null : (
          <textarea
            aria-label={label}
            rows={1}
            value={text}
            onInput={(event: any) => onChange(event.target.value)}
            onKeyDown={(event: KeyboardEvent) => {
              if (event.key !== 'Enter' || event.shiftKey) return;
              event.preventDefault();
              onRun();
            }}
          />
        )}
      </div>
    );
  }
}
