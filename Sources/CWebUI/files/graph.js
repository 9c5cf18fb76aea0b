const space = 'http://www.w3.org/2000/svg';
const size = { width: 960, height: 260, left: 64, right: 12, top: 10, bottom: 26 };

/** Most lines that are drawn. */
export const most = 20;

/** A colour per series; neighbours differ in hue, and all are readable on light and dark. */
export const colour = (index) => `hsl(${(215 + index * 137.5) % 360} 62% 52%)`;

function node(tag, attributes, ...children) {
  const made = document.createElementNS(space, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Round distances: 1, 2 or 5 times a power of ten. */
function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const first = Math.ceil(low / step);
  // Counted, not added: a step may be smaller than the precision of huge numbers.
  return Array.from({ length: 2 * count }, (_, index) => (first + index) * step).filter((value) => value >= low && value <= high + step / 1e6);
}

function short(value) {
  if (value === 0) return '0';
  const magnitude = Math.abs(value);
  for (const [limit, unit] of [[1e9, 'G'], [1e6, 'M'], [1e4, 'k']]) {
    if (magnitude >= limit) return `${+(value / (limit === 1e4 ? 1e3 : limit)).toPrecision(4)}${unit}`;
  }
  return magnitude < 1e-4 ? value.toExponential(1) : String(+value.toPrecision(4));
}

/** Draws the series of a matrix between two moments; gaps in the samples are gaps in the lines. */
export function draw(series, start, end, width) {
  size.width = Math.max(300, width);
  const shown = series.slice(0, most).map((one) => (one.values ?? []).map(([time, text]) => [time, Number(text)])
    .filter(([, value]) => Number.isFinite(value)));
  const all = shown.flat().map(([, value]) => value);
  if (all.length === 0) return '';
  let low = Math.min(...all);
  let high = Math.max(...all);
  if (low === high) { low -= Math.abs(low) / 2 || 1; high += Math.abs(high) / 2 || 1; }
  if (low > 0 && low < (high - low)) low = 0;
  const x = (time) => size.left + (time - start) / (end - start) * (size.width - size.left - size.right);
  const y = (value) => size.top + (high - value) / (high - low) * (size.height - size.top - size.bottom);
  const step = Math.min(...shown.flatMap((points) => points.slice(1).map(([time], index) => time - points[index][0])), end - start);

  const root = node('svg', { class: 'graph', viewBox: `0 0 ${size.width} ${size.height}`, role: 'img',
    'aria-label': `Graph of ${series.length} series; lowest ${short(Math.min(...all))}, highest ${short(Math.max(...all))}. The table below holds the latest values.` });
  for (const value of ticks(low, high, 5)) {
    root.append(node('line', { class: 'grid', x1: size.left, x2: size.width - size.right, y1: y(value), y2: y(value) }),
      node('text', { x: size.left - 8, y: y(value) + 4, 'text-anchor': 'end' }, short(value)));
  }
  const marks = size.width < 600 ? 3 : 6;
  for (let index = 0; index <= marks; index += 1) {
    const time = start + (end - start) * index / marks;
    const text = new Date(time * 1000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: end - start <= 900 ? '2-digit' : undefined });
    root.append(node('text', { x: x(time), y: size.height - 8, 'text-anchor': index === 0 ? 'start' : index === marks ? 'end' : 'middle' }, text));
  }
  shown.forEach((points, index) => {
    let path = '';
    let previous = -Infinity;
    for (const [time, value] of points) {
      path += `${time - previous > step * 1.5 ? 'M' : 'L'}${x(time).toFixed(1)} ${y(value).toFixed(1)}`;
      previous = time;
    }
    root.append(node('path', { class: 'series', d: path, stroke: colour(index) }));
  });
  return follow(root, shown, x, start, end);
}

/** A line under the pointer with the values it crosses. */
function follow(root, shown, x, start, end) {
  const line = node('line', { class: 'cursor', y1: size.top, y2: size.height - size.bottom, visibility: 'hidden' });
  const title = node('title', {});
  root.append(line, title);
  root.addEventListener('pointermove', (event) => {
    const box = root.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width * size.width - size.left) / (size.width - size.left - size.right);
    const time = start + Math.min(1, Math.max(0, share)) * (end - start);
    line.setAttribute('x1', x(time));
    line.setAttribute('x2', x(time));
    line.setAttribute('visibility', 'visible');
    const values = shown.map((points, index) => {
      const nearest = points.reduce((best, point) => Math.abs(point[0] - time) < Math.abs(best[0] - time) ? point : best, points[0] ?? [0, NaN]);
      return `${index + 1}: ${short(nearest[1])}`;
    });
    title.textContent = `${new Date(time * 1000).toLocaleTimeString()}\n${values.join('\n')}`;
  });
  root.addEventListener('pointerleave', () => line.setAttribute('visibility', 'hidden'));
  return root;
}
