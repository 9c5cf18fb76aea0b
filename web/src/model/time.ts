const units: readonly [number, string][] = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
];

/** A length of time in at most two units: `3 min 20 s`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  if (seconds < 0) return `-${duration(-seconds)}`;
  if (seconds < 1)
    return seconds === 0
      ? '0 s'
      : seconds < 0.001
        ? `${Math.round(seconds * 1e6)} µs`
        : `${Math.round(seconds * 1000)} ms`;
  let rest = Math.round(seconds);
  const parts: string[] = [];
  for (const [size, name] of units) {
    const count = Math.floor(rest / size);
    if (count > 0 && parts.length < 2) parts.push(`${count} ${name}`);
    else if (parts.length > 0) break;
    rest -= count * size;
  }
  return parts.join(' ');
}

/** How long ago, or in how long. */
export function relative(milliseconds: number, now: number): string {
  const seconds = (now - milliseconds) / 1000;
  if (!Number.isFinite(seconds)) return 'never';
  if (Math.abs(seconds) < 2) return 'now';
  const text = duration(Math.abs(seconds)).split(' ').slice(0, 2).join(' ');
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}

/** The date and time, to the second, in the zone of the page. */
export function absolute(milliseconds: number, isUTC = false): string {
  if (!Number.isFinite(milliseconds)) return 'never';
  const date = new Date(milliseconds);
  const two = (value: number) => String(value).padStart(2, '0');
  return isUTC
    ? `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`
    : `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
        `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Prometheus's duration text (`1h30m`) in seconds; `null` where it is none. */
export function parseDuration(text: string): number | null {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed);
  if (!/^(\d+(ms|s|m|h|d|w|y))+$/.test(trimmed)) return null;
  const sizes: { [unit: string]: number } = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800, y: 31_536_000 };
  let total = 0;
  for (const [, count, unit] of trimmed.matchAll(/(\d+)(ms|s|m|h|d|w|y)/g)) total += Number(count) * sizes[unit];
  return total;
}

/** Seconds as Prometheus writes a duration. */
export function formatDuration(seconds: number): string {
  let rest = Math.round(seconds);
  let text = '';
  for (const [size, unit] of [
    [604_800, 'w'],
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'm'],
    [1, 's'],
  ] as const) {
    if (rest >= size && (rest % size === 0 || size < 86_400)) {
      text += `${Math.floor(rest / size)}${unit}`;
      rest %= size;
    }
  }
  return text || '0s';
}
