import type { LabelSet, Series } from '../api/types';
import { labelKey } from '../state/live';
import { distinguishing, seriesText } from './labels';

/** Series as rows of a common time axis: `[milliseconds, value of the first series, …]`; a gap is NaN. */
export interface GraphData {
  rows: number[][];
  names: string[];
  labels: LabelSet[];
}

export function toNumber(text: string): number {
  if (text === '+Inf') return Infinity;
  if (text === '-Inf') return -Infinity;
  return Number(text);
}

/**
 * The rows of a matrix over `start...end` (seconds) by `step`.
 *
 * Complexity: O(series · steps). A step without a sample is NaN, so that lines have gaps where the data have.
 */
export function graphData(series: readonly Series[], start: number, end: number, step: number): GraphData {
  const count = Math.max(1, Math.floor((end - start) / step + 1e-9) + 1);
  const width = series.length + 1;
  const rows: number[][] = new Array(count);
  for (let index = 0; index < count; index += 1) {
    const row = new Array<number>(width).fill(NaN);
    row[0] = (start + index * step) * 1000;
    rows[index] = row;
  }
  series.forEach((one, column) => {
    for (const [time, text] of one.values ?? []) {
      const index = Math.round((time - start) / step);
      const value = toNumber(text);
      if (index >= 0 && index < count && Number.isFinite(value)) rows[index][column + 1] = value;
    }
  });
  return { rows, names: series.map((one) => seriesText(one.metric)), labels: series.map((one) => one.metric) };
}

/** Names for a legend: only the labels that differ, with all of them on hover. */
export function shortNames(labels: readonly LabelSet[]): string[] {
  if (labels.length === 1) return [seriesText(labels[0])];
  const differing = new Set(distinguishing(labels));
  return labels.map((one) => {
    const parts = [...differing]
      .filter((name) => one[name] !== undefined && name !== '__name__')
      .map((name) => `${name}=${one[name]}`);
    const name = differing.has('__name__') ? (one['__name__'] ?? '') : '';
    return [name, parts.join(' ')].filter((part) => part !== '').join(' ') || seriesText(one);
  });
}

/** A step that gives about `points` points, rounded to a readable length. */
export function stepFor(range: number, points = 250): number {
  const wanted = range / points;
  const sizes = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400];
  return sizes.find((size) => size >= wanted) ?? Math.ceil(wanted / 86_400) * 86_400;
}

/** Whether `value` meets a condition, such as `> 0.01`; `null` for a condition that is none. */
export function meets(condition: string, value: number): boolean | null {
  const match = /^\s*(==|!=|>=|<=|>|<)\s*([-+0-9.eE]+|[+-]?Inf)\s*$/.exec(condition);
  if (!match) return null;
  const limit = toNumber(match[2]);
  switch (match[1]) {
    case '==':
      return value === limit;
    case '!=':
      return value !== limit;
    case '>=':
      return value >= limit;
    case '<=':
      return value <= limit;
    case '>':
      return value > limit;
    default:
      return value < limit;
  }
}

/** The limit of a condition. */
export function limitOf(condition: string): number | null {
  const match = /(==|!=|>=|<=|>|<)\s*([-+0-9.eE]+|[+-]?Inf)\s*$/.exec(condition);
  const limit = match ? toNumber(match[2]) : NaN;
  return Number.isFinite(limit) ? limit : null;
}

/** A number with at most `digits` significant digits, and a prefix of the decimal system. */
export function compact(value: number, digits = 4): string {
  if (Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e15 || size < 1e-4)) return value.toExponential(2);
  for (const [factor, prefix] of [
    [1e12, 'T'],
    [1e9, 'G'],
    [1e6, 'M'],
    [1e4, 'k'],
  ] as const) {
    if (size >= factor) return `${Number((value / (factor === 1e4 ? 1e3 : factor)).toPrecision(digits))}${prefix}`;
  }
  return String(Number(value.toPrecision(digits)));
}

/** The identity of a series, for colours that stay when others come and go. */
export function seriesKey(labels: LabelSet): string {
  return labelKey(labels);
}
