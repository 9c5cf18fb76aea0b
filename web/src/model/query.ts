import { formatDuration, parseDuration } from './time';

/** One panel of the query view. Its address has the names of Prometheus's parameters, so links work in both directions. */
export interface Panel {
  readonly expression: string;
  /** Seconds. */
  readonly range: number;
  /** Seconds since the epoch; `null` for now. */
  readonly end: number | null;
  /** Seconds; `null` for automatic. */
  readonly step: number | null;
  readonly isStacked: boolean;
  readonly view: 'graph' | 'table';
}

export const emptyPanel: Panel = {
  expression: '',
  range: 3600,
  end: null,
  step: null,
  isStacked: false,
  view: 'graph',
};
export const maximumPanels = 8;

export function readPanels(parameters: URLSearchParams): Panel[] {
  const panels: Panel[] = [];
  for (let index = 0; index < maximumPanels && parameters.has(`g${index}.expr`); index += 1) {
    const get = (name: string) => parameters.get(`g${index}.${name}`) ?? '';
    const end = get('end_input') === '' ? NaN : Number(get('end_input'));
    const tab = get('tab');
    panels.push({
      expression: get('expr'),
      range: parseDuration(get('range_input')) || emptyPanel.range,
      end: Number.isFinite(end) ? end : null,
      step: parseDuration(get('step_input')) || null,
      isStacked: get('stacked') === '1',
      view: tab === 'table' || tab === '1' ? 'table' : 'graph',
    });
  }
  return panels.length > 0 ? panels : [emptyPanel];
}

export function writePanels(panels: readonly Panel[]): URLSearchParams {
  const parameters = new URLSearchParams();
  panels.forEach((panel, index) => {
    const set = (name: string, value: string) => parameters.set(`g${index}.${name}`, value);
    set('expr', panel.expression);
    set('range_input', formatDuration(panel.range));
    if (panel.end !== null) set('end_input', String(Math.round(panel.end)));
    if (panel.step !== null) set('step_input', formatDuration(panel.step));
    if (panel.isStacked) set('stacked', '1');
    set('tab', panel.view);
  });
  return parameters;
}

/** The panel that shows what was selected on the time axis (milliseconds). */
export function zoomed(panel: Panel, from: number, to: number): Panel {
  const range = Math.max(10, Math.round((to - from) / 1000));
  return { ...panel, range, end: Math.round(to / 1000), step: null };
}

export function adding(expression: string, to: readonly string[], most = 50): string[] {
  return [expression, ...to.filter((one) => one !== expression)].slice(0, most);
}
