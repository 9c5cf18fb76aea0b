import { Component, h } from 'preact';
import type { GraphHandle, GraphSpec } from '../graph';
import { Loading } from './parts';

type GraphModule = { draw: (element: HTMLElement, spec: GraphSpec) => GraphHandle };
let loaded: Promise<GraphModule> | undefined;

/** The bundle with the graph library. */
export function graphModule(): Promise<GraphModule> {
  loaded ??= import(new URL('graph.js', document.baseURI).href) as Promise<GraphModule>;
  return loaded;
}

/** Colours that people with any kind of colour vision tell apart (Okabe and Ito), and then others by turns of the golden angle. */
const palette = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#b8860b', '#56b4e9', '#7f5fc4', '#a6522b'];

export function colour(index: number): string {
  return palette[index] ?? `hsl(${Math.round((index * 137.508) % 360)}, 60%, ${45 + (index % 3) * 8}%)`;
}

/** A graph of the library, kept while its data change. */
export class Graph extends Component<{ spec: GraphSpec; label: string; height?: string }, { isReady: boolean }> {
  state = { isReady: false };
  private element?: HTMLElement;
  private handle?: GraphHandle;
  private isGone = false;

  componentDidMount() {
    void graphModule().then((module) => {
      if (this.isGone || !this.element) return;
      this.handle = module.draw(this.element, this.props.spec);
      this.element.dataset['drawnIn'] = this.handle.drawnIn().toFixed(1);
      this.setState({ isReady: true });
    });
  }

  componentDidUpdate(former: { spec: GraphSpec }) {
    if (former.spec === this.props.spec || !this.handle || !this.element) return;
    this.handle.update(this.props.spec);
    this.element.dataset['drawnIn'] = this.handle.drawnIn().toFixed(1);
  }

  componentWillUnmount() {
    this.isGone = true;
    this.handle?.destroy();
  }

  render() {
    return (
      <div class="graph-box">
        <div
          class="graph"
          role="img"
          aria-label={this.props.label}
          ref={(element?: Element) => {
            this.element = element as HTMLElement;
          }}
        />
        {this.state.isReady ? null : <Loading lines={4} />}
      </div>
    );
  }
}
