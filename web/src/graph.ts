// Graphs with axes, zoom and pan, by dygraphs. A bundle of its own: it is loaded by the first graph.
import Dygraph from 'dygraphs';

export interface GraphSpec {
  /** `[milliseconds, value of each series …]`; NaN is a gap. */
  rows: number[][];
  /** A name per series, shown by the tip. */
  names: readonly string[];
  colours: readonly string[];
  /** Which series are drawn. */
  visible: readonly boolean[];
  isStacked: boolean;
  isUTC: boolean;
  /** Horizontal lines with what they mean. */
  limits: readonly { value: number; name: string }[];
  /** Instants (milliseconds) that are marked, such as those at which a rule trips. */
  marks: readonly number[];
  /** The whole time axis, in milliseconds. */
  window: readonly [number, number];
  format: (value: number) => string;
  /** A range of time was selected by dragging. */
  onZoom?: (from: number, to: number) => void;
}

export interface GraphHandle {
  update(spec: GraphSpec): void;
  destroy(): void;
  drawnIn(): number;
}

// Its legend measures texts with a style attribute, which the policy forbids; the page has a legend of its own.
Dygraph.PLUGINS = Dygraph.PLUGINS.filter((plugin) => plugin !== Dygraph.Plugins.Legend);

/** The graphs on the page, so that one cursor is shown in all. */
const open = new Set<{ point(time: number | null): void }>();

function style(element: Element, name: string): string {
  return getComputedStyle(element).getPropertyValue(name).trim() || '#888';
}

/** Draws into `element`, which has a size of its own. */
export function draw(element: HTMLElement, first: GraphSpec): GraphHandle {
  let spec = first;
  let milliseconds = 0;
  const plot = document.createElement('div');
  plot.className = 'plot';
  const tip = document.createElement('div');
  tip.className = 'graph-tip';
  tip.hidden = true;
  const cursor = document.createElement('div');
  cursor.className = 'graph-cursor';
  cursor.hidden = true;
  element.append(plot, cursor, tip);

  // A single row cannot be drawn as a line; an empty graph still has axes.
  const data = () => (spec.rows.length > 0 ? spec.rows : [[spec.window[0], ...spec.names.map(() => NaN)]]);
  const options = () => ({
    labels: ['time', ...spec.names.map((_, index) => String(index))],
    colors: [...spec.colours],
    visibility: [...spec.visible],
    stackedGraph: spec.isStacked,
    labelsUTC: spec.isUTC,
    dateWindow: [...spec.window],
    gridLineColor: style(element, '--line'),
    axisLineColor: style(element, '--line'),
  });

  const underlay = (
    context: CanvasRenderingContext2D,
    area: { x: number; y: number; w: number; h: number },
    graph: any,
  ) => {
    context.save();
    context.fillStyle = style(element, '--mark');
    for (const mark of spec.marks) {
      const x = graph.toDomXCoord(mark);
      if (x !== null) context.fillRect(x - 1, area.y, 2, area.h);
    }
    context.strokeStyle = style(element, '--bad');
    context.setLineDash([5, 4]);
    for (const limit of spec.limits) {
      const y = graph.toDomYCoord(limit.value, 0);
      if (y === null) continue;
      context.beginPath();
      context.moveTo(area.x, y);
      context.lineTo(area.x + area.w, y);
      context.stroke();
    }
    context.restore();
  };

  const show = (time: number, row: number, nearest: string) => {
    const index = Number(nearest);
    const values = spec.rows[row];
    if (!values) return;
    tip.replaceChildren();
    const head = document.createElement('b');
    const date = new Date(time);
    head.textContent = spec.isUTC ? `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC` : date.toLocaleString();
    tip.append(head);
    const line = document.createElement('div');
    const swatch = document.createElement('i');
    swatch.style.background = spec.colours[index] ?? '';
    line.append(swatch, `${spec.names[index] ?? ''} `);
    const number = document.createElement('b');
    number.textContent = Number.isNaN(values[index + 1]) ? 'no value' : spec.format(values[index + 1]);
    line.append(number);
    tip.append(line);
    tip.hidden = false;
    const x = graph.toDomXCoord(time) ?? 0;
    tip.style.left = `${Math.min(x + 14, Math.max(0, element.clientWidth - tip.offsetWidth - 4))}px`;
  };

  const started = performance.now();
  const graph = new Dygraph(plot, data(), {
    ...options(),
    legend: 'never',
    fillGraph: false,
    strokeWidth: 1.6,
    axisLabelFontSize: 12,
    axisLabelWidth: 62,
    rightGap: 12,
    connectSeparatedPoints: false,
    drawPoints: false,
    drawIsolatedPoints: true,
    pointSize: 2,
    highlightCircleSize: 4,
    animatedZooms: false,
    strokeBorderWidth: 0,
    highlightSeriesOpts: { strokeWidth: 2.6, highlightCircleSize: 4 },
    highlightSeriesBackgroundAlpha: 1,
    includeZero: false,
    axes: {
      x: { ticker: Dygraph.dateTicker, axisLabelFormatter: Dygraph.dateAxisLabelFormatter },
      y: { axisLabelFormatter: (value: number) => spec.format(value) },
    },
    underlayCallback: underlay,
    highlightCallback: (_: Event, time: number, __: unknown, row: number, nearest: string) => {
      show(time, row, nearest);
      for (const other of open) other.point(time);
    },
    unhighlightCallback: () => {
      tip.hidden = true;
      for (const other of open) other.point(null);
    },
    zoomCallback: (from: number, to: number) => {
      // What is selected becomes the window of the view, with a finer step.
      if (spec.onZoom && (from > spec.window[0] || to < spec.window[1]))
        spec.onZoom(Math.max(from, spec.window[0]), Math.min(to, spec.window[1]));
    },
  });
  milliseconds = performance.now() - started;

  const me = {
    point(time: number | null) {
      const area = graph.getArea();
      const x = time === null ? null : graph.toDomXCoord(time);
      cursor.hidden = x === null || time === null || time < spec.window[0] || time > spec.window[1];
      if (x !== null) cursor.style.left = `${x}px`;
      cursor.style.height = `${area.h}px`;
    },
  };
  open.add(me);
  const observer = new ResizeObserver(() => graph.resize());
  observer.observe(element);
  const recolour = () => graph.updateOptions(options());
  window.addEventListener('tribune-theme', recolour);

  return {
    update(next: GraphSpec) {
      const start = performance.now();
      spec = next;
      graph.updateOptions({ ...options(), file: data() });
      milliseconds = performance.now() - start;
    },
    destroy() {
      open.delete(me);
      observer.disconnect();
      window.removeEventListener('tribune-theme', recolour);
      graph.destroy();
    },
    drawnIn: () => milliseconds,
  };
}
