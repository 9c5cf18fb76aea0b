import assert from 'node:assert/strict';
import test from 'node:test';
import type { ServiceDay } from '../src/api/types';
import { instant, packScope, readSearch } from '../src/model/evidence';
import { heatDays, heatRows } from '../src/model/heat';

const day = (part: Partial<ServiceDay>): ServiceDay => ({
  day: '2026-11-28',
  service: 'auth',
  violations: 0,
  rollbacks: 0,
  metrics: [],
  ...part,
});

test('a map shows the last days, today last', () => {
  const now = Date.parse('2026-03-01T00:00:00Z');
  assert.deepEqual(heatDays(now, 3), ['2026-02-27', '2026-02-28', '2026-03-01']);
  assert.deepEqual(heatDays(now - 1, 2), ['2026-02-27', '2026-02-28']);
});

test('a cell says by word and by colour what happened, and leads to its day', () => {
  const metric = { name: 'score', samples: 2, average: 0.98765, minimum: 0.9, maximum: 1 };
  const rows = heatRows(
    [
      day({ violations: 3 }),
      day({ day: '2026-11-29', violations: 3, rollbacks: 1, metrics: [metric] }),
      day({ service: 'pgc' }),
    ],
    ['2026-11-27', '2026-11-28', '2026-11-29'],
  );
  assert.deepEqual(
    rows.map((row) => [row.service, ...row.cells.map((cell) => `${cell.level} ${cell.text}`)]),
    [
      ['auth', 'none ', 'warn 3', 'bad 1↺'],
      ['pgc', 'none ', 'good ✓', 'none '],
    ],
  );
  const [nothing, , worst] = rows[0].cells;
  assert.equal(nothing.label, 'auth, 2026-11-27: nothing recorded');
  assert.equal(worst.label, 'auth, 2026-11-29: 3 violations, 1 rollback\nscore 0.9877 (0.9 to 1)');
  assert.equal(instant(worst.from), Date.parse('2026-11-29T00:00:00Z') / 1000);
  assert.equal(instant(worst.to), Date.parse('2026-11-30T00:00:00Z') / 1000);
});

test('a pack has the period and service of the search, or the last 30 days', () => {
  const now = Date.parse('2026-11-29T12:00:00Z');
  const empty = readSearch(new URLSearchParams());
  assert.deepEqual(packScope(empty, now), {
    input: { start: Date.parse('2026-10-30T12:00:00Z') / 1000, end: undefined, service: '' },
    words: '2026-10-30 to now',
  });
  const from = new Date(2026, 10, 3, 12).getTime() / 1000;
  const scope = packScope({ ...empty, from: '2026-11-03T12:00', to: '2026-11-05T12:00', service: 'auth' }, now);
  assert.deepEqual(scope.input, { start: from, end: from + 2 * 86_400, service: 'auth' });
  assert.equal(scope.words, '2026-11-03 to 2026-11-05, entries of auth and of no service');
});
