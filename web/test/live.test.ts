import assert from 'node:assert/strict';
import test from 'node:test';
import { request } from '../src/api/client';
import {
  getApiV1HistoryEvents,
  postApiV1Query,
  postApiV1RolloutsPlanVerb,
  postApiV2Silences,
} from '../src/api/operations';
import { link, parsePlace } from '../src/router';
import { type Live, lost, may, received } from '../src/state/live';
import { EventParser, pauseBefore, type StreamEvent } from '../src/state/stream';
import { rollout, service, target } from './make';

const empty: Live = { connection: { state: 'live' } };

test('a stream gives the same events however it is cut', () => {
  const text =
    ': heartbeat\n\nevent: rollout\ndata: {"plan":"a"}\n\nevent: alerts\r\ndata: [1,\r\ndata: 2]\r\n\r\ndata: last\n\n';
  const whole = new EventParser().push(text);
  assert.deepEqual(whole, [
    { event: 'rollout', data: '{"plan":"a"}' },
    { event: 'alerts', data: '[1,\n2]' },
    { event: 'message', data: 'last' },
  ]);
  const parser = new EventParser();
  const pieces: StreamEvent[] = [];
  for (const character of text.replace(/\r/g, '')) pieces.push(...parser.push(character));
  assert.deepEqual(pieces, whole);
});

test('attempts become rarer, up to a limit', () => {
  assert.deepEqual([1, 2, 3, 50].map(pauseBefore), [1000, 2000, 4000, 15_000]);
});

test('a rollout event replaces its plan, and a removed plan goes', () => {
  const first = received(empty, { event: 'rollout', data: JSON.stringify(rollout('promoting', [service('a')])) }).live;
  assert.equal(first.rollouts?.[0].state, 'promoting');
  const second = received(first, { event: 'rollout', data: JSON.stringify(rollout('paused', [])) }).live;
  assert.deepEqual(
    second.rollouts?.map((one) => one.state),
    ['paused'],
  );
  assert.deepEqual(received(second, { event: 'rollout', data: '{"plan":"shop","state":"removed"}' }).live.rollouts, []);
});

test('a target event changes health in place, and an unknown target asks for the list', () => {
  const live: Live = { ...empty, targets: [target('a', '1:1'), target('a', '2:2')] };
  const change = (instance: string, health: string) => ({
    event: 'targets',
    data: JSON.stringify([
      {
        scrapePool: 'a',
        scrapeUrl: `http://${instance}/metrics`,
        labels: { instance, job: 'a' },
        health,
        lastError: 'refused',
      },
    ]),
  });
  const down = received(live, change('2:2', 'down'));
  assert.deepEqual(
    down.live.targets?.map((one) => [one.health, one.lastError]),
    [
      ['up', ''],
      ['down', 'refused'],
    ],
  );
  assert.deepEqual(down.stale, []);
  assert.deepEqual(received(live, change('1:1', 'removed')).live.targets?.length, 1);
  assert.deepEqual(received(live, change('3:3', 'up')).stale, ['targets']);
});

test('what an event does not hold is read again, and what is malformed changes nothing', () => {
  assert.deepEqual(received(empty, { event: 'alerts', data: '[]' }).stale, ['alerts']);
  assert.deepEqual(received(empty, { event: 'reset', data: '{"list":"targets"}' }).stale, ['targets']);
  assert.deepEqual(received(empty, { event: 'reset', data: '{"list":"secrets"}' }).stale, []);
  assert.equal(received(empty, { event: 'rollout', data: '{' }).live, empty);
});

test('one interruption shows nothing; then requests decide between polling and offline', () => {
  assert.equal(lost(empty, 1, 'gone', false, 5), empty);
  assert.deepEqual(lost(empty, 2, 'gone', true, 5).connection, { state: 'polling', reason: 'gone' });
  const offline = lost(empty, 2, 'gone', false, 5);
  assert.deepEqual(lost(offline, 3, 'still', false, 9).connection, { state: 'offline', since: 5, reason: 'still' });
});

test('nothing is permitted before the identity is known', () => {
  assert.equal(may(empty, 'order'), false);
  const identity = { name: 'ada', method: 'token', address: '', roles: [], permissions: ['read', 'order'] };
  assert.equal(may({ ...empty, identity }, 'order'), true);
  assert.equal(may({ ...empty, identity }, 'silence'), false);
});

test('addresses lead to places, and places to addresses', () => {
  const id = '[["alertname","a/b?c"]]';
  const place = parsePlace(link(['alerts', id], { q: 'x=1&y' }));
  assert.deepEqual(place.path, ['alerts', id]);
  assert.equal(place.parameters.get('q'), 'x=1&y');
  assert.deepEqual(parsePlace('').path, []);
  assert.deepEqual(parsePlace('#targets').path, ['targets']);
  assert.deepEqual(parsePlace('#ledger').path, ['evidence']);
  const former = parsePlace('#query', '?expr=up%20%3D%3D%200');
  assert.deepEqual([former.path, former.parameters.get('g0.expr')], [['query'], 'up == 0']);
  assert.deepEqual(parsePlace('#/rollouts/%').path, ['rollouts', '%']);
});

test('requests put parameters where the operation takes them', () => {
  const order = request(postApiV1RolloutsPlanVerb, { plan: 'a/b', verb: 'rollback', reason: 'x', service: ['s', 't'] });
  assert.equal(order.path, 'v1/rollouts/a%2Fb/rollback');
  assert.equal(String(order.init.body), 'reason=x&service=s&service=t');
  const events = request(getApiV1HistoryEvents, { kind: ['alert', 'order'], service: '', limit: 5 });
  assert.equal(events.path, 'v1/history/events?kind=alert&kind=order&limit=5');
  assert.equal(events.init.body, undefined);
  assert.equal(String(request(postApiV1Query, { query: 'up' }).init.body), 'query=up');
  assert.equal(request(postApiV2Silences, { body: { a: 1 } }).init.body, '{"a":1}');
});
