import assert from 'node:assert/strict';
import test from 'node:test';
import type { Page } from '../src/api/types';
import { gist, instant, readSearch, wantedKinds } from '../src/model/evidence';
import { find } from '../src/model/find';
import { compact, graphData, limitOf, meets, shortNames, stepFor } from '../src/model/graph-data';
import { distinguishing, matcherText, mentions, parseMatchers, seriesText } from '../src/model/labels';
import { alertRows, ruleGroups, ruleState, targetRows } from '../src/model/lists';
import { figures, findings } from '../src/model/now';
import { answers, pageFindings } from '../src/model/oncall';
import { contextAt, rank } from '../src/model/promql';
import { adding, emptyPanel, readPanels, writePanels, zoomed } from '../src/model/query';
import { dependencyGraph, differs, nextStage, orders, shareText, standing } from '../src/model/rollout';
import { fieldText, momentOf, partners, upcoming } from '../src/model/shifts';
import { absolute, duration, formatDuration, parseDuration, relative } from '../src/model/time';
import { type Live, labelKey } from '../src/state/live';
import { alert, group, rollout, rule, service, target } from './make';

const verbs = (one: ReturnType<typeof rollout>) => orders(one, 0).map((order) => order.verb);

test('testers are traffic, and are shown as such', () => {
  const open = { stable: 100, candidate: 0, testers: true };
  assert.equal(shareText(open), 'testers');
  assert.equal(shareText({ stable: 90, candidate: 10 }), '10 %');
  const wanted = service('a', { testers: true, progress: 'baking', stage: 1 });
  assert.ok(verbs(rollout('promoting', [wanted])).includes('rollback'));
  assert.ok(differs(service('a', { testers: true, observed: { stable: 100, candidate: 0 } })));
  assert.ok(!differs(service('a', { testers: true, observed: open })));
  assert.ok(verbs(rollout('rolled_back', [service('a', { observed: open })])).includes('abort'));
});

test('only orders that the engine accepts are offered', () => {
  const carrying = service('a', { candidate: 10, progress: 'baking', stage: 1 });
  assert.deepEqual(verbs(rollout('idle', [service('a')])), ['start']);
  const switched = service('a', { observed: { stable: 50, candidate: 50 }, unmanaged_since: '2026-01-01T00:00:00Z' });
  assert.deepEqual(verbs(rollout('idle', [switched])), ['adopt', 'rollback']);
  assert.deepEqual(verbs(rollout('promoting', [carrying])), ['promote', 'pause', 'abort', 'rollback']);
  assert.deepEqual(verbs(rollout('promoting', [service('a', { progress: 'shifting' })])), [
    'pause',
    'abort',
    'rollback',
  ]);
  assert.deepEqual(verbs(rollout('promoting', [{ ...carrying, lack: 'waits' }])), [
    'promote',
    'promote',
    'pause',
    'abort',
    'rollback',
  ]);
  assert.deepEqual(verbs(rollout('paused', [carrying])), ['resume', 'abort', 'rollback']);
  assert.deepEqual(verbs(rollout('promoted', [carrying])), ['rollback']);
  assert.deepEqual(verbs(rollout('retired', [carrying])), []);
  assert.deepEqual(verbs(rollout('rolling_back', [carrying])), ['rollback']);
  assert.deepEqual(verbs(rollout('rolled_back', [service('a')])), ['start']);
  assert.deepEqual(verbs(rollout('rolled_back', [service('a')], { cooldown_until: '1970-01-01T00:01:00Z' })), []);
  assert.deepEqual(verbs(rollout('rolled_back', [service('a'), { ...carrying, name: 'b' }])), ['abort', 'rollback']);
});

test('an order says what it will do', () => {
  const two = rollout('promoting', [
    service('a', { candidate: 100 }),
    service('b', { candidate: 10, stage: 1, progress: 'baking' }),
  ]);
  const back = orders(two, 0).find((order) => order.verb === 'rollback');
  assert.ok(back?.consequence.includes('All traffic of a and b goes to the stable version'));
  assert.equal(nextStage(two), 'b goes from stage 1 to 2 of 3.');
  assert.ok(
    orders(
      rollout('idle', [service('a', { preflight: ['look'] }), service('b', { depends: ['a'] })]),
      0,
    )[0].consequence.includes('a gets the first stage. Check before: a: look.'),
  );
});

test('a rollout says why it stands still', () => {
  const one = service('b', {
    stage: 2,
    bake_ends: '1970-01-01T00:01:40Z',
    gates: [{ name: 'owner', open: false, detail: 'waits for a person' }],
    lack: 'waits for data',
  });
  const waiting = service('c', { gates: [{ name: 'owner', open: false, detail: 'waits for a person' }] });
  assert.deepEqual(standing(rollout('promoting', [one, waiting]), 10_000), [
    'b waits for data',
    'b bakes for another 1 min 30 s',
    'b: the gate "owner" is closed: waits for a person',
  ]);
});

test('a service stands right of what it depends on', () => {
  const graph = dependencyGraph([
    service('d', { depends: ['b', 'c'] }),
    service('a'),
    service('b', { depends: ['a'] }),
    service('c', { depends: ['elsewhere'] }),
  ]);
  assert.deepEqual(
    graph.nodes.map((node) => [node.service.name, node.column, node.row]),
    [
      ['d', 2, 0],
      ['a', 0, 0],
      ['b', 1, 0],
      ['c', 0, 1],
    ],
  );
  assert.deepEqual(graph.edges.length, 3);
  assert.deepEqual([graph.columns, graph.rows], [3, 2]);
  const cycle = dependencyGraph([service('a', { depends: ['b'] }), service('b', { depends: ['a'] })]);
  assert.ok(cycle.nodes.every((node) => node.column < 2));
});

const live: Live = {
  connection: { state: 'live' },
  rollouts: [
    rollout('rolled_back', [service('a')]),
    { ...rollout('paused', [service('b')], { obstacle: 'ada: lunch' }), plan: 'other' },
  ],
  alerts: [
    alert('Tripped', {}, { activeAt: '2026-01-01T00:00:05Z' }),
    alert('Slow', { service: 'a' }),
    alert('Maybe', {}, { state: 'pending' }),
  ],
  targets: [target('a', '1:1'), target('a', '2:2', { health: 'down', lastError: 'refused' })],
  groups: [
    group('g', [
      rule('Tripped', {
        rollback: { trip: '> 1', severity: 'critical', mode: 'enforce', streak: 1, tripped: true },
        state: 'firing',
      }),
      rule('Broken', { health: 'err', lastError: 'bad' }),
    ]),
  ],
  history: null,
};

test('a tripped rollback rule is no alert that fires, and both are counted', () => {
  const values = Object.fromEntries(figures(live).map((one) => [one.name, one.value]));
  assert.equal(values['alerts firing'], '1');
  assert.equal(values['rollback rules tripped'], '1');
  assert.equal(values['targets up'], '1 / 2');
  assert.equal(values['rollouts under way'], '1');
  assert.equal(figures({ connection: { state: 'connecting' } })[2].value, '…');
});

test('the worst and newest is first, and pending alerts are no finding', () => {
  assert.deepEqual(
    findings(live).map((one) => [one.tone, one.title]),
    [
      ['bad', 'Tripped has tripped'],
      ['bad', 'Slow is firing'],
      ['bad', 'shop was rolled back'],
      ['bad', '2:2 is down'],
      ['warn', 'other paused'],
      ['warn', 'Broken cannot be evaluated'],
    ],
  );
});

test('a page that nobody has answered is the worst, and its answers depend on its state', () => {
  const page: Page = {
    page: 'p',
    title: 'disk',
    severity: 'critical',
    state: 'escalating',
    opened: '2026-01-01T00:00:00Z',
    source: 'a',
    policy: 'default',
    step: 0,
    by: null,
    next_call: null,
    called: ['ada'],
    notes: [],
    labels: {},
    annotations: {},
    child_of: null,
    children: [],
    flapping: false,
  };
  assert.deepEqual(
    answers(page).map((one) => one.verb),
    ['acknowledge', 'escalate', 'snooze', 'reassign', 'note', 'resolve'],
  );
  assert.ok(!answers({ ...page, state: 'acknowledged' }).some((one) => one.verb === 'acknowledge'));
  assert.deepEqual(answers({ ...page, state: 'resolved' }), []);
  const found = pageFindings([page, { ...page, state: 'acknowledged', by: 'bob' }, { ...page, state: 'resolved' }]);
  assert.deepEqual(
    found.map((one) => [one.tone, one.detail]),
    [
      ['bad', 'nobody has answered; called: ada'],
      ['warn', 'acknowledged by bob'],
    ],
  );
});

test('a search finds plans, services, alerts, rules and targets by every word', () => {
  assert.deepEqual(
    find(live, 'target 2:2').map((one) => one.kind),
    ['target', 'query'],
  );
  assert.deepEqual(
    find(live, 'plan other').map((one) => one.title),
    ['other', 'plan other'],
  );
  assert.equal(find(live, 'rate(x[5m])')[0].kind, 'query');
});

test('targets are listed by job, those with trouble first', () => {
  const rows = targetRows(
    [target('b', '1:1'), target('a', '3:3'), target('b', '2:2', { health: 'down' })],
    '',
    '',
    new Set(),
  );
  assert.deepEqual(
    rows.map((row) => (row.kind === 'job' ? `${row.job} ${row.up}/${row.all}` : row.target.labels['instance'])),
    ['b 1/2', '2:2', '1:1', 'a 1/1', '3:3'],
  );
  assert.equal(targetRows([target('a', '1:1')], '', '', new Set(['a'])).length, 1);
  assert.equal(targetRows([target('a', '1:1')], 'job=a 1:2', '', new Set()).length, 0);
  const start = Date.now();
  assert.equal(
    targetRows(
      new Array(10_000).fill(0).map((_, index) => target(`j${index % 40}`, `${index}:1`)),
      'instance',
      'up',
      new Set(),
    ).length,
    10_040,
  );
  assert.ok(Date.now() - start < 1000, 'ten thousand targets in less than a second, on a loaded machine');
});

test('rules are found by state and by text', () => {
  assert.deepEqual(
    (live.groups ?? []).flatMap((one) => one.rules.map(ruleState)),
    ['tripped', 'failing'],
  );
  assert.deepEqual(
    ruleGroups(live.groups ?? [], 'broken', '').map((one) => one.rules.length),
    [1],
  );
  assert.deepEqual(ruleGroups(live.groups ?? [], '', 'healthy'), []);
});

test('an alert that is also notified is listed once, with its receivers', () => {
  const notified = {
    labels: { alertname: 'Slow', service: 'a' },
    annotations: {},
    startsAt: '2026-01-01T00:00:00Z',
    endsAt: '',
    fingerprint: 'x',
    receivers: [{ name: 'people' }],
    status: { state: 'suppressed', silencedBy: ['s'], inhibitedBy: [] },
  };
  const rows = alertRows(live.alerts ?? [], [notified], new Set(['Tripped']), labelKey);
  assert.deepEqual(
    rows.map((row) => [row.labels['alertname'], row.state, row.receivers]),
    [
      ['Tripped', 'tripped', []],
      ['Maybe', 'pending', []],
      ['Slow', 'silenced', ['people']],
    ],
  );
});

test('matchers are read as they are written', () => {
  const text = 'alertname="a\\"b", env=~"blue|green", x!="", y!~"z"';
  assert.equal(parseMatchers(text).map(matcherText).join(', '), text);
  assert.deepEqual(parseMatchers('{service=auth}'), [
    { name: 'service', value: 'auth', isRegex: false, isEqual: true },
  ]);
  assert.deepEqual(parseMatchers(''), []);
  assert.throws(() => parseMatchers('service'), /Expected a matcher/);
  assert.throws(() => parseMatchers('a="b" c="d"'), /at "c="d""|Expected/);
});

test('only labels that differ tell series apart', () => {
  const all = [
    { __name__: 'up', job: 'a', env: 'blue' },
    { __name__: 'up', job: 'a', env: 'green' },
  ];
  assert.deepEqual(distinguishing(all), ['env']);
  assert.deepEqual(shortNames(all), ['env=blue', 'env=green']);
  assert.equal(seriesText({ __name__: 'up', b: '1', a: 'x"y' }), 'up{a="x\\"y", b="1"}');
  assert.equal(seriesText({}), '{}');
  assert.ok(mentions({ env: 'blue' }, ['env=bl'], 'more'));
});

test('series become rows with gaps where the data have them', () => {
  const data = graphData(
    [
      {
        metric: { a: '1' },
        values: [
          [10, '1'],
          [20, 'NaN'],
          [30, '+Inf'],
        ],
      },
      {
        metric: { a: '2' },
        values: [
          [20, '5'],
          [999, '1'],
        ],
      },
    ],
    10,
    30,
    10,
  );
  assert.deepEqual(data.rows, [
    [10_000, 1, NaN],
    [20_000, NaN, 5],
    [30_000, NaN, NaN],
  ]);
});

test('steps are readable, and conditions are those of rules', () => {
  assert.deepEqual(
    [300, 3600, 86_400, 604_800].map((range) => stepFor(range)),
    [2, 15, 600, 3600],
  );
  assert.deepEqual(
    ['> 0.05', '>= 1', '< 1', '== 0', '!= 0', '<= 1'].map((text) => meets(text, 1)),
    [true, true, false, false, true, true],
  );
  assert.equal(meets('nothing', 1), null);
  assert.equal(limitOf('> 0.05'), 0.05);
  assert.equal(limitOf('> +Inf'), null);
  assert.deepEqual(
    [1234567, 0.000012, NaN, -Infinity, 1500, 0.1 + 0.2].map((value) => compact(value)),
    ['1.235M', '1.20e-5', '–', '-Inf', '1500', '0.3'],
  );
});

test('panels survive their address, which is that of Prometheus', () => {
  const panels = [
    { ...emptyPanel, expression: 'up == 0 & "x"', range: 5400, end: 1_700_000_000, step: 30, isStacked: true },
    { ...emptyPanel, expression: 'b', view: 'table' as const },
  ];
  assert.deepEqual(readPanels(writePanels(panels)), panels);
  assert.deepEqual(readPanels(new URLSearchParams('')), [emptyPanel]);
  assert.deepEqual(readPanels(new URLSearchParams('g0.expr=up&g0.tab=1&g0.range_input=2h'))[0], {
    ...emptyPanel,
    expression: 'up',
    range: 7200,
    view: 'table',
  });
  assert.deepEqual(zoomed(panels[0], 1000_000, 1060_000), { ...panels[0], range: 60, end: 1060, step: null });
  assert.deepEqual(adding('b', ['a', 'b'], 2), ['b', 'a']);
});

test('completion knows where the cursor stands', () => {
  assert.deepEqual(contextAt('rate(http_'), { kind: 'expression', prefix: 'http_' });
  assert.deepEqual(contextAt('up{job="a", in'), { kind: 'label', prefix: 'in', metric: 'up' });
  assert.deepEqual(contextAt('up{'), { kind: 'label', prefix: '', metric: 'up' });
  assert.deepEqual(contextAt('up{job=~"a|b'), { kind: 'value', label: 'job', prefix: 'a|b', metric: 'up' });
  assert.deepEqual(contextAt('sum by (a, jo'), { kind: 'label', prefix: 'jo', metric: null });
  assert.deepEqual(contextAt('rate(up[5'), { kind: 'duration', prefix: '5' });
  assert.deepEqual(contextAt('up{a="}"} + xy'), { kind: 'expression', prefix: 'xy' });
  assert.deepEqual(contextAt('up # rate('), { kind: 'nothing' });
  assert.deepEqual(contextAt('label_replace(up, "x'), { kind: 'nothing' });
  assert.deepEqual(contextAt('up{a="b"'), { kind: 'nothing' });
});

test('suggestions that begin with the prefix come first', () => {
  const all = ['irate', 'rate', 'rates', 'other'].map((text) => ({ text, kind: 'function' as const, detail: '' }));
  assert.deepEqual(
    rank(all, 'rat').map((one) => one.text),
    ['rate', 'rates', 'irate'],
  );
  assert.deepEqual(
    rank(all, 'rate', 1).map((one) => one.text),
    ['rates'],
  );
});

test('times are said in words and dates', () => {
  assert.deepEqual([0.0004, 0.25, 59, 61, 3600, 90_061, -5].map(duration), [
    '400 µs',
    '250 ms',
    '59 s',
    '1 min 1 s',
    '1 h',
    '1 d 1 h',
    '-5 s',
  ]);
  assert.deepEqual(
    [relative(1000, 2000), relative(0, 90_000), relative(90_000, 0), relative(NaN, 0)],
    ['now', '1 min ago', 'in 1 min', 'never'],
  );
  assert.equal(absolute(0, true), '1970-01-01 00:00:00 UTC');
  assert.deepEqual(['90', '1h30m', '1d', 'x', '1h x', ''].map(parseDuration), [90, 5400, 86_400, null, null, null]);
  assert.deepEqual([90, 3600, 5400, 86_400, 604_800, 90_000].map(formatDuration), [
    '1m30s',
    '1h',
    '1h30m',
    '1d',
    '1w',
    '25h',
  ]);
});

test('a search of the record leaves measurements out until they are asked for', () => {
  const search = readSearch(new URLSearchParams('kind=&text=x'));
  assert.ok(!wantedKinds(search).includes('measurements') && wantedKinds(search).includes('decision'));
  assert.deepEqual(wantedKinds({ ...search, kind: 'measurements' }), ['measurements']);
  assert.deepEqual(wantedKinds({ ...search, kind: 'all' }), []);
  assert.equal(instant(''), undefined);
  assert.equal(instant('1970-01-01T00:00:10Z'), 10);
  const event = {
    time: '',
    kind: 'rollback_step',
    subject: 'f;g;r',
    body: { step: 'shifted', detail: 'acknowledged', causes: [{ trip: { name: 'R' } }] },
  };
  assert.equal(gist(event), 'shifted · acknowledged');
});

test('a field of a date and time gives back the moment that it was made of', () => {
  const moment = '2026-12-24T08:30:00.000Z';
  assert.equal(momentOf(fieldText(moment)), moment);
  assert.ok(/^2026-12-2[345]T\d\d:\d\d$/.test(fieldText(moment)));
  assert.throws(() => momentOf(''), /Give a date and a time/);
});

test('a shift is swapped with those of others, and overrides that are over are not shown', () => {
  const shift = (person: string | null, day: number) => ({
    person,
    from: `2026-01-0${day}T00:00:00Z`,
    until: `2026-01-0${day + 1}T00:00:00Z`,
  });
  const shifts = [shift('ada', 1), shift(null, 2), shift('bob', 3), shift('ada', 4)];
  assert.deepEqual(partners(shift('ada', 1), shifts), [shift('bob', 3)]);
  assert.deepEqual(partners(shift(null, 2), shifts), []);
  const planned = (id: string, day: number) => ({
    ...shift('bob', day),
    person: 'bob',
    override: id,
    reason: '',
    by: '',
    at: '',
  });
  const now = Date.parse('2026-01-03T00:00:00Z');
  assert.deepEqual(
    upcoming([planned('a', 1), planned('b', 2), planned('c', 3)], now).map((one) => one.override),
    ['c'],
  );
});
