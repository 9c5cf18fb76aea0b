import type { ServiceDay } from '../api/types';

/** One day of one service, as it is shown. */
export interface HeatCell {
  readonly day: string;
  readonly level: 'none' | 'good' | 'warn' | 'bad';
  /** The text in the cell, so that colour is not all that tells it. */
  readonly text: string;
  /** All of it in words. */
  readonly label: string;
  /** The day as a search of the record: texts of `datetime-local` fields, in the zone of the page. */
  readonly from: string;
  readonly to: string;
}

export interface HeatRow {
  readonly service: string;
  readonly cells: readonly HeatCell[];
}

const dayMilliseconds = 86_400_000;

/** The days (UTC) that a map of `count` days shows, today last. */
export function heatDays(now: number, count: number): string[] {
  const today = Math.floor(now / dayMilliseconds);
  return Array.from({ length: count }, (_, index) =>
    new Date((today - count + 1 + index) * dayMilliseconds).toISOString().slice(0, 10),
  );
}

/** The services with their days, one row each in the order of the answer; a day of which nothing is known is empty. */
export function heatRows(found: readonly ServiceDay[], days: readonly string[]): HeatRow[] {
  const services = new Map<string, Map<string, ServiceDay>>();
  for (const one of found) {
    const known = services.get(one.service) ?? new Map<string, ServiceDay>();
    services.set(one.service, known.set(one.day, one));
  }
  return [...services].map(([service, known]) => ({
    service,
    cells: days.map((day) => cell(service, day, known.get(day))),
  }));
}

function cell(service: string, day: string, one: ServiceDay | undefined): HeatCell {
  const start = Date.parse(`${day}T00:00:00Z`);
  const span = { day, from: local(start), to: local(start + dayMilliseconds) };
  if (!one) return { ...span, level: 'none', text: '', label: `${service}, ${day}: nothing recorded` };
  const events = [plural(one.violations, 'violation'), plural(one.rollbacks, 'rollback')];
  const metrics = one.metrics.map(
    (metric) => `${metric.name} ${short(metric.average)} (${short(metric.minimum)} to ${short(metric.maximum)})`,
  );
  return {
    ...span,
    level: one.rollbacks > 0 ? 'bad' : one.violations > 0 ? 'warn' : 'good',
    text: one.rollbacks > 0 ? `${one.rollbacks}↺` : one.violations > 0 ? String(one.violations) : '✓',
    label: [`${service}, ${day}: ${events.join(', ')}`, ...metrics].join('\n'),
  };
}

function plural(count: number, noun: string): string {
  return `${count === 0 ? 'no' : count} ${noun}${count === 1 ? '' : 's'}`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)));
}

function local(milliseconds: number): string {
  const at = new Date(milliseconds);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`;
}
