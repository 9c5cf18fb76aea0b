import assert from 'node:assert/strict';
import test from 'node:test';
import { address, answered, place, shown } from '../src/model/notice';
import { browserName, bytes, isSame, subscribed } from '../src/model/push';

const notice = (more: object) => JSON.stringify({ page: 'k3', title: 'Down', severity: 'critical', at: 5, ...more });

test('a call stays in sight with a button, and what follows takes its place without noise', () => {
  const call = shown(notice({ state: 'firing', text: 'db-3', acknowledge: '/oncall/links/a.b' }));
  assert.equal(call.title, 'Down');
  assert.equal(call.options.body, 'critical: db-3');
  assert.deepEqual(call.options.actions, [{ action: 'acknowledge', title: 'Acknowledge' }]);
  assert.ok(call.options.requireInteraction && call.options.renotify && !call.options.silent);
  assert.equal(call.options.timestamp, 5);
  const end = shown(notice({ state: 'resolved', by: 'bob', acknowledge: '/oncall/links/a.b' }));
  assert.equal(end.title, 'Resolved: Down');
  assert.equal(end.options.body, 'by bob');
  assert.deepEqual(end.options.actions, []);
  assert.ok(!end.options.requireInteraction && end.options.silent);
  assert.equal(call.options.tag, end.options.tag);
  assert.equal(answered('k3', 'Down', true).options.tag, call.options.tag);
  assert.ok(shown(notice({ state: 'firing', page: 'k4' })).options.tag !== call.options.tag);
});

test('any message is shown, since browsers insist on it', () => {
  for (const text of [
    '',
    '{',
    'null',
    '[]',
    '{"page":1}',
    notice({ state: 'new' }),
    notice({ state: 'firing', page: 7 }),
  ]) {
    assert.equal(shown(text).title, 'Tribune');
  }
});

test('only signed links of this server are followed', () => {
  const scope = 'https://tribune.example/base/ui/';
  assert.equal(address(scope, '/oncall/links/a-b_c.d'), 'https://tribune.example/base/oncall/links/a-b_c.d');
  for (const path of [
    '',
    '//evil.example/oncall/links/a',
    'https://evil.example/',
    '/oncall/links/../../api',
    '/oncall/links/a?b',
  ]) {
    assert.equal(address(scope, path), undefined);
  }
  assert.equal(place(scope, 'k3'), `${scope}#/oncall/k3`);
  assert.equal(place(scope, ''), `${scope}#/oncall`);
});

test('keys are read as they are written, and browsers have names', () => {
  assert.deepEqual([...bytes('_-8')], [255, 239]);
  assert.ok(isSame(bytes('AAE'), Uint8Array.from([0, 1])) && !isSame(bytes('AAE'), bytes('AAI')));
  assert.deepEqual(subscribed({ endpoint: 'e', keys: { p256dh: 'p', auth: 'a' } }), {
    endpoint: 'e',
    p256dh: 'p',
    auth: 'a',
  });
  assert.equal(subscribed({ endpoint: 'e' }), undefined);
  assert.equal(
    browserName('Mozilla/5.0 (Android 14; Mobile; rv:130.0) Gecko/130.0 Firefox/130.0'),
    'Firefox on Android',
  );
  assert.equal(
    browserName(
      'Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605 Version/17.0 Mobile Safari/604',
    ),
    'Safari on iPhone',
  );
  assert.equal(browserName(''), 'Browser');
});
