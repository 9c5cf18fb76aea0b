import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { until } from './browser.mjs';

const ui = (world, hash = '') => `${world.address}/ui/${hash}`;
const alertHash = (labels) =>
  `#/alerts/${encodeURIComponent(JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))))}`;

/** A page that is open at `hash`, logged in where `isOperator`. */
async function visit({ browser, world }, hash, options = {}) {
  const page = await browser.page(options);
  await page.open(ui(world));
  if (options.isOperator) await page.value(`sessionStorage.setItem('tribune.token', ${JSON.stringify(world.token)})`);
  await page.open(`${world.address}/ui/?visit${hash}`);
  await page.sees('live', '.connection');
  return page;
}

/** Nothing failed in the page, and nothing was asked of another origin. */
function checkPage(page, world) {
  assert.deepEqual(page.problems, []);
  const foreign = page.requests.filter(
    (url) => !url.startsWith(world.address) && !url.startsWith('data:') && !url.startsWith('blob:'),
  );
  assert.deepEqual(foreign, []);
}

/** A release fails, is taken back by itself, and the page shows it live. */
async function badRelease(context) {
  const { world, pictures } = context;
  const page = await visit(context, '#/', { isOperator: true });
  await page.sees('No rollout is under way.');
  await page.keys('g r');
  await page.click('a.plan-link', 'shop');
  await page.click('button', 'Start a rollout');
  await page.sees('A new generation begins: auth and integrity get the first stage.', 'dialog');
  await page.type('release 42');
  // Enter does what the main button says.
  await page.keys('Enter');
  await page.sees('Start a rollout: accepted.', '.toast');
  await page.sees('promoting', 'h1');
  await page.sees('baking', '.node');
  await page.picture(join(pictures, 'rollout-under-way.png'));
  await page.wait(`document.querySelector('.node .share').style.width !== '0%'`);
  world.errors.set('auth', 5);
  await page.sees('rolled back', 'h1');
  await page.sees('ErrorRatioHigh measured 0.25; it trips at > 0.05.');
  await page.sees('Rolled back and validated');
  await page.wait(
    `document.querySelector('section[aria-labelledby=rules-title] svg.spark .limit')`,
    'the measurements beside their limit',
  );
  for (const step of ['decided', 'shifted', 'verified', 'isolated', 'validated']) await page.sees(step, '.timeline');
  assert.equal(world.routers.get('auth').candidate, 0);
  await page.picture(join(pictures, 'rollout-rolled-back.png'), true);
  await page.click('button', 'Report');
  await page.sees('ErrorRatioHigh', 'dialog pre');
  await page.keys('Escape');
  await page.click('a.brand');
  await page.sees('shop was rolled back', '.findings');
  await page.sees('ErrorRatioHigh has tripped', '.findings');
  await page.picture(join(pictures, 'now.png'));
  checkPage(page, world);
  world.errors.set('auth', 0);
  await page.close();
}

/** A person stops and takes back a rollout; who may not is not offered it, and is told why. */
async function orders(context) {
  const { world, pictures } = context;
  const stranger = await visit(context, '#/rollouts/shop');
  await stranger.sees('You may not give orders here: you are not logged in.');
  assert.equal(await stranger.value(`document.querySelectorAll('.orders button').length`), 0);
  // Logs in with a token, which only this tab keeps.
  await stranger.click('.allowed a');
  await stranger.fill('input[name=token]', 'wrong');
  await stranger.keys('Enter');
  await stranger.click('button', 'Forget the token');
  await stranger.fill('input[name=token]', world.token);
  await stranger.keys('Enter');
  await stranger.sees('local token', '.who');
  await stranger.close();

  const page = await visit(context, '#/rollouts/shop', { isOperator: true });
  await page.seesNot('no rollout may start');
  await page.click('button', 'Start a rollout');
  await page.click('dialog button.main');
  await page.sees('baking', '.node');
  await page.click('.orders button', 'Pause');
  await page.sees('No candidate gets more traffic until you resume.', 'dialog');
  await page.keys('Escape');
  assert.equal(await page.value(`document.activeElement.innerText`), 'Pause');
  await page.keys('Enter');
  await page.type('lunch');
  await page.keys('Enter');
  await page.sees('paused', 'h1');
  await page.sees('lunch', '.lines');
  await page.picture(join(pictures, 'rollout-paused.png'));
  await page.click('.orders button', 'Roll back');
  // A reason is needed: the dialog stays.
  await page.keys('Enter');
  await page.sees('goes to the stable version, now.', 'dialog');
  await page.type('it smells');
  await page.keys('Enter');
  await page.sees('rolled back', 'h1');
  await page.sees('Rolled back and validated');
  assert.ok([...world.routers.values()].every((router) => router.candidate === 0));
  await page.sees('it smells', '.events');
  // The work that it left has an owner and an end.
  await page.sees('Write down what was learned from the rollback of auth.', '.tasks');
  await page.click('.tasks button', 'Change: Fix auth');
  await page.value(`document.querySelector('dialog select').value = 'done'`);
  await page.fill('dialog input[name=owner]', 'ada');
  await page.fill('dialog input[name=note]', 'the fix is in build 8');
  await page.keys('Enter');
  await page.sees('The task is changed.', '.toast');
  await page.sees('the fix is in build 8', '.tasks');
  await page.picture(join(pictures, 'tasks.png'), true);
  checkPage(page, world);
  await page.close();
}

/** A silence is previewed, created and expired; the page of an alert says why people were told. */
async function alerts(context) {
  const { world, pictures } = context;
  const page = await visit(context, '#/alerts');
  await page.sees('QueueLong');
  await page.click('button', 'Silence QueueLong');
  await page.sees('It hits 1 alert now: QueueLong', 'dialog');
  await page.fill('dialog input[name=by]', 'ada');
  await page.fill('dialog input[name=comment]', 'known');
  await page.picture(join(pictures, 'silence.png'));
  await page.keys('Enter');
  await page.sees('Silenced for 2h.', '.toast');
  await page.sees('known · by ada', '.silences');
  await page.sees('silenced', '.alert-row');
  await page.picture(join(pictures, 'alerts.png'));
  await page.click('.silences button', 'Expire');
  await page.click('dialog button.main', 'Expire');
  await page.sees('expired', '.silences');
  await page.sees('firing', '.alert-row');
  await page.click('.alert-row a', 'QueueLong');
  await page.sees('Receiver people');
  await page.wait(`document.querySelector('.graph').dataset.drawnIn`, 'the graph of the rule');
  await page.picture(join(pictures, 'alert.png'), true);
  checkPage(page, world);
  await page.close();
}

/** A page is answered: nobody else is called, and the note is there for the next person. */
async function onCall(context) {
  const { world, pictures } = context;
  const page = await visit(context, '#/');
  await page.sees('Page: Requests wait', '.findings');
  await page.sees('On call', '.on-call');
  await page.keys('g o');
  await page.sees('escalating', '.pages');
  await page.picture(join(pictures, 'oncall.png'));
  await page.click('.pages button', 'Acknowledge: Requests wait');
  await page.sees('Nobody else is called. You have it.', 'dialog');
  await page.keys('Enter');
  await page.sees('acknowledged', '.pages');
  await page.click('.pages a', 'Requests wait');
  await page.click('.title-row button', 'Note: ');
  await page.type('the disk of db-3');
  await page.keys('Enter');
  await page.sees('the disk of db-3', '#main .lines');
  await page.picture(join(pictures, 'page.png'));
  await page.keys('g o');
  await page.click('[aria-labelledby="shifts-primary-title"] button', 'Override the shift from');
  await page.type('bob');
  await page.keys('Enter');
  await page.sees('Planned: bob', '[aria-labelledby="shifts-primary-title"]');
  const { overrides } = await world.ask('v1/oncall/schedules/primary');
  assert.deepEqual(
    overrides.map((one) => one.person),
    ['bob'],
  );
  const { pages } = await world.ask('v1/oncall/pages');
  assert.deepEqual(
    pages.filter((one) => one.title.includes('Requests wait')).map((one) => one.state),
    ['acknowledged'],
  );
  checkPage(page, world);
  await page.close();
}

/** A browser is added, shows what is pushed to it, and its notification opens and acknowledges the page. */
async function notifiedBrowser(context) {
  const { world, pictures } = context;
  const page = await visit(context, '#/oncall', { isOperator: true });
  const scope = `${world.address}/ui/`;
  await page.sees('Requests wait', '.pages');
  // What a push service would give; it is not asked, since it is on another machine.
  await page.value(`(async () => {
    const pair = await crypto.subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, true, ['deriveBits']);
    const text = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/[+]/g, '-').replace(/[/]/g, '_').replace(/=/g, '');
    const keys = { p256dh: text(await crypto.subtle.exportKey('raw', pair.publicKey)), auth: text(crypto.getRandomValues(new Uint8Array(16))) };
    const endpoint = 'https://fcm.googleapis.com/fcm/send/journey';
    let current = null;
    PushManager.prototype.getSubscription = async () => current;
    PushManager.prototype.subscribe = async ({ userVisibleOnly, applicationServerKey }) => {
      if (!userVisibleOnly || applicationServerKey.length !== 65 || applicationServerKey[0] !== 4) throw new Error('not a key');
      current = { endpoint, options: { applicationServerKey: applicationServerKey.buffer }, toJSON: () => ({ endpoint, keys }),
        unsubscribe: async () => { current = null; return true; } };
      return current;
    };
  })()`);
  await page.sees('No browser is notified yet.');
  await page.wait(`!document.querySelector('main .loading')`, 'nothing moves any more');
  await page.click('button', 'Notify this browser');
  await page.sees('Calls to this person are shown here', 'dialog');
  await page.click('dialog button.main', 'Notify');
  await page.sees('this browser', '[aria-labelledby="browsers-title"]');
  await page.sees('by fcm.googleapis.com', '[aria-labelledby="browsers-title"]');
  await page.picture(join(pictures, 'browsers.png'), true);
  const { browsers } = await world.ask('v1/oncall/browsers');
  assert.deepEqual(
    browsers.map((one) => [one.person, one.service]),
    [['ada', 'fcm.googleapis.com']],
  );

  // What the server sends about a page is shown, and later messages about it take its place.
  const [open] = (await world.ask('v1/oncall/pages?state=all')).pages;
  const message = (state, more) =>
    JSON.stringify({ page: open.page, state, title: open.title, severity: 'warning', at: 1, ...more });
  const notifications = `navigator.serviceWorker.ready.then((one) => one.getNotifications())
    .then((all) => all.map((one) => [one.title, one.body, one.tag, one.requireInteraction].join('|')).join(' & '))`;
  // The browser takes quiet notifications away after some seconds.
  const seen = (text) =>
    until(
      async () => (await page.value(notifications)).split(' & ').includes(text),
      text,
      () => page.value(notifications),
    );
  await page.push(scope, message('firing', { text: 'disk of db-3', acknowledge: '/oncall/links/wrong.link' }));
  await seen(`${open.title}|warning: disk of db-3|page-${open.page}|true`);
  await page.push(scope, message('acknowledged', { by: 'bob' }));
  await seen(`Acknowledged: ${open.title}|by bob|page-${open.page}|false`);
  await page.push(scope, 'not what this version knows');
  await until(
    async () => (await page.value(notifications)).includes('Tribune|A message'),
    'a notification for any text',
  );

  // The button follows the signed link; one that does not work says so.
  const press = (action, tag) =>
    page.inWorker(
      scope,
      `(async () => {
        const [notification] = await self.registration.getNotifications({ tag: '${tag}' });
        const event = new NotificationEvent('notificationclick', { notification, action: '${action}' });
        self.dispatchEvent(event);
      })()`,
    );
  await page.push(scope, message('firing', { acknowledge: '/oncall/links/wrong.link' }));
  await seen(`${open.title}|warning|page-${open.page}|true`);
  await press('acknowledge', `page-${open.page}`);
  await until(async () => (await page.value(notifications)).includes('Not acknowledged: '), 'the link does not work');
  // The notification itself opens the page.
  await press('', `page-${open.page}`);
  await page.sees(open.title, 'h1');
  await page.sees('What it is about');

  await page.keys('g o');
  await page.click('button', 'Remove ');
  await page.sees('are not shown there any more', 'dialog');
  await page.keys('Enter');
  await page.sees('No browser is notified yet.');
  assert.deepEqual((await world.ask('v1/oncall/browsers')).browsers, []);
  checkPage(page, world);
  await page.close();
}

/** An expression is completed, drawn, zoomed by dragging, and the way back works. */
async function query(context) {
  const { world, pictures } = context;
  const page = await visit(context, '#/query');
  await page.wait(`document.querySelector('.CodeMirror')`, 'the editor');
  await page.click('.CodeMirror');
  const type = async (text) => {
    for (const character of text) await page.keys(character);
  };
  await type('service_lat');
  await page.sees('service_latency_seconds', '.CodeMirror-hints');
  await page.sees('Time to answer.', '.CodeMirror-hints');
  await page.keys('Enter');
  await type('{serv');
  await page.sees('service', '.CodeMirror-hints');
  await page.keys('Enter');
  await page.type('=~"auth|ledger", env="blue"');
  // The editor reads what was pasted a moment later.
  await page.wait(
    `document.querySelector('.CodeMirror').CodeMirror.getValue().includes('"blue"')`,
    'the text in the editor',
  );
  await page.keys('Escape');
  await page.keys('Enter');
  await page.wait(`document.querySelector('[data-series="2"]')`, 'two series');
  await page.wait(`document.querySelector('.graph canvas')`, 'the graph');
  assert.ok(
    decodeURIComponent(await page.value('location.hash')).includes(
      'service_latency_seconds{service=~"auth|ledger",+env="blue"}',
    ),
  );
  // A range that the data fill, so that what is selected has some.
  await until(() => Date.now() - world.started > 20_000, 'twenty seconds of data');
  await page.fill('input[aria-label=Range]', '15s');
  await page.keys('Enter');
  await page.wait(
    `location.hash.includes('range_input=15s') && document.querySelector('[aria-busy=false]')`,
    'the shorter range',
  );
  const { box } = await page.place('.graph');
  await page.mouse('mouseMoved', box.x + box.width * 0.7, box.y + 100);
  await page.wait(`!document.querySelector('.graph-tip').hidden`, 'the values at the cursor');
  assert.match(await page.value(`document.querySelector('.graph-tip').innerText`), /service=(auth|ledger) 0\.0/);
  await page.picture(join(pictures, 'query.png'));
  await page.drag(box.x + box.width * 0.2, box.y + 100, box.x + box.width * 0.95, box.y + 100);
  await page.wait(`location.hash.includes('end_input')`, 'the zoom');
  await page.sees('Reset the zoom');
  const zoom = await page.value('location.hash');
  // A link restores everything.
  const other = await visit(context, zoom);
  await other.wait(`document.querySelector('[data-series="2"]')`, 'the same two series');
  await other.close();
  await page.value('history.back()');
  await page.seesNot('Reset the zoom');
  await page.click('button', 'Table');
  await page.sees('ledger', 'table');
  await page.click('button', 'Graph');
  await page.click('.legend button', 'ledger');
  await page.wait(`document.querySelectorAll('.legend [aria-pressed=false]').length === 1`, 'the hidden series');
  await page.click('button', 'Add a panel');
  await page.wait(`document.querySelectorAll('.panel').length === 2`, 'a second panel');
  await page.open(`${world.address}/graph?g0.expr=up%20%3D%3D%200`);
  await page.sees('broken', '.legend');
  // Another address, so that the page loads anew.
  await page.open(`${world.address}/ui/?anew#/query?g0.expr=sum(`);
  await page.sees('parse', '.notice');
  checkPage(page, world);
  await page.close();
}

/** A decision is found, its proof verified here, and what a server alters is not believed. */
async function evidence(context) {
  const { world, pictures } = context;
  const page = await visit(context, '#/evidence');
  await page.sees('this browser verified');
  // The map has the day of the rollback, and leads to its entries.
  await page.wait(`document.querySelector('.heat .bad a')`, 'a day with a rollback');
  assert.match(await page.value(`document.querySelector('.heat .bad a').getAttribute('aria-label')`), /[1-9] rollback/);
  await page.click('.heat .bad a');
  await page.sees('rollback step', '.entries');
  await page.value(`location.hash = '#/evidence'`);
  await page.value(
    `document.querySelector('select').value = 'decision', document.querySelector('select').dispatchEvent(new Event('change'))`,
  );
  await page.sees('roll back', '.entries');
  await page.seesNot('rollback step', '.entries');
  await page.picture(join(pictures, 'evidence.png'));
  await page.sees('You may not make evidence packs here');
  await page.click('.entries a');
  await page.sees('hashes lead from it to the root');
  await page.sees('signature', '.checks');
  await page.picture(join(pictures, 'entry.png'), true);
  const saved = page.value(
    `new Promise((resolve) => { const former = URL.createObjectURL; URL.createObjectURL = (blob) => { blob.text().then(resolve); return former(blob); }; })`,
  );
  await page.click('button', 'Download the proof');
  assert.match(JSON.parse(await saved).proof, /^c2sp.org\/tlog-proof@v1/);
  // A server that changes an entry, between the page and the record.
  await page.send('Fetch.enable', { patterns: [{ urlPattern: '*/history/proof/*', requestStage: 'Response' }] });
  page.browser.listeners.push(async (message) => {
    if (message.sessionId !== page.sessionId || message.method !== 'Fetch.requestPaused') return;
    const { body } = await page.send('Fetch.getResponseBody', { requestId: message.params.requestId });
    const forged = Buffer.from(body, 'base64').toString().replace('decision', 'decisioN');
    await page.send('Fetch.fulfillRequest', {
      requestId: message.params.requestId,
      responseCode: 200,
      responseHeaders: [{ name: 'Content-Type', value: 'application/json' }],
      body: Buffer.from(forged).toString('base64'),
    });
  });
  const entry = await page.value('location.hash');
  await page.value(`location.hash = '#/evidence'`);
  await page.sees('Search the record');
  await page.value(`location.hash = ${JSON.stringify(entry)}`);
  await page.sees('Not proved: the path does not lead to the root of the checkpoint: the entry was altered');
  await page.picture(join(pictures, 'entry-altered.png'));
  checkPage(page, world);
  await page.close();
  await evidencePack(context);
}

/** Who may, downloads the pack of the searched period. */
async function evidencePack(context) {
  const { world, pictures } = context;
  const page = await visit(context, '#/evidence', { isOperator: true });
  await page.sees('Download the evidence pack');
  const pack = page.value(
    `new Promise((resolve) => { const former = URL.createObjectURL; URL.createObjectURL = (blob) => { blob.slice(0, 4).text().then(resolve); return former(blob); }; })`,
  );
  await page.click('button', 'Download the evidence pack');
  assert.equal(await pack, 'PK\u0003\u0004');
  await page.sees('Saved as tribune-evidence-');
  await page.picture(join(pictures, 'evidence-pack.png'), true);
  checkPage(page, world);
  await page.close();
}

/** Everything by keyboard; the focus stays while the page is drawn anew. */
async function keyboard(context) {
  const { world, pictures } = context;
  const page = await visit(context, '#/');
  await page.keys('?');
  await page.sees('Ctrl', 'dialog');
  await page.keys('Escape');
  await page.wait(`!document.querySelector('dialog')`, 'the dialog closes');
  await page.keys('g t');
  await page.sees('targets', '#targets-title');
  await page.keys('/');
  assert.ok(await page.value(`document.activeElement.matches('[data-search]')`));
  await page.type('env=green ledger');
  await page.sees('1 of 15 targets');
  await page.value(`window.kept = document.activeElement`);
  const before = await page.value(`document.querySelector('.target-row time').innerText + performance.now()`);
  await until(
    () =>
      page.value(
        `document.querySelector('.target-row time').innerText + performance.now() !== ${JSON.stringify(before)} && performance.now() > 2500`,
      ),
    'two seconds of updates',
  );
  assert.ok(await page.value(`document.activeElement === window.kept && window.kept.value === 'env=green ledger'`));
  await page.value('document.activeElement.blur()');
  await page.keys('s');
  await page.sees('Search', 'dialog');
  await page.type('rule queue');
  await page.sees('QueueLong', '.found');
  await page.picture(join(pictures, 'search.png'));
  await page.keys('Enter');
  await page.sees('QueueLong', '.rules');
  await page.keys('Tab');
  await page.value(`document.querySelector('.rule-head').focus()`);
  await page.keys('Enter');
  await page.sees('It was met at', '.rule-body');
  await page.picture(join(pictures, 'rules.png'));
  await page.value('history.back()');
  await page.sees('1 of 15 targets');
  checkPage(page, world);
  await page.close();
}

export const places = {
  now: '#/',
  rollouts: '#/rollouts',
  rollout: '#/rollouts/shop',
  alerts: '#/alerts',
  alert: alertHash({ alertname: 'QueueLong', service: 'ledger', severity: 'warning' }),
  query: '#/query?g0.expr=service_queue_length&g0.range_input=5m',
  table: '#/query?g0.expr=up&g0.tab=table',
  oncall: '#/oncall',
  targets: '#/targets',
  rules: '#/rules',
  evidence: '#/evidence',
  entry: '#/evidence/5',
  server: '#/status/server',
  bottlenecks: '#/status/bottlenecks',
  store: '#/status/store',
  configuration: '#/status/configuration',
  access: '#/status/access',
  nowhere: '#/nowhere',
};

/** Every view in both themes and on a phone: no text is lost, nothing moves sideways, and axe-core finds nothing. */
async function views(context) {
  const { world, pictures, axe } = context;
  let checked = 0;
  for (const [kind, options] of Object.entries({
    light: {},
    dark: { isDark: true },
    phone: { width: 390, height: 844 },
  })) {
    const page = await visit(context, '#/', { ...options, isOperator: true });
    const { isDark = false } = options;
    if (axe) await page.value(`${axe}; 0`);
    for (const [name, hash] of Object.entries(places)) {
      await page.value(`location.hash = ${JSON.stringify(hash)}`);
      await page.wait(
        `!document.querySelector('main .loading') && document.querySelector('main h1')`,
        `${name} is there`,
      );
      const width = await page.value('document.documentElement.scrollWidth - document.documentElement.clientWidth');
      assert.ok(width <= 0, `${name} on ${kind} is ${width} pixels too wide`);
      await page.picture(join(pictures, kind, `${name}.png`));
      if (!axe) continue;
      // The themes differ in their colours alone.
      const rules = isDark ? "runOnly: ['color-contrast']," : '';
      const found = await page.value(`axe.run(document, { ${rules} resultTypes: ['violations'] }).then((result) =>
        result.violations.map((one) => one.id + ': ' + one.nodes.map((node) => node.target.join(' ') + ' ' + node.failureSummary.split('\\n').slice(1, 3).join(' ')).slice(0, 3).join(' | ')))`);
      assert.deepEqual(found, [], `${name} on ${kind}`);
      checked += 1;
    }
    checkPage(page, world);
    await page.close();
  }
  return axe ? `axe-core found nothing in ${checked} views` : '';
}

/** The program is gone, and comes back: the page says so, keeps what it knows, and goes on by itself. */
async function outage(context) {
  const { world, pictures } = context;
  const page = await visit(context, '#/targets');
  await page.sees('of 15 targets');
  await world.kill();
  await page.sees('The server does not answer since', '.banner');
  await page.sees('of 15 targets');
  await page.picture(join(pictures, 'offline.png'));
  await world.restart();
  await page.sees('live', '.connection');
  await page.wait(`!document.querySelector('.banner')`, 'the banner goes');
  assert.deepEqual(page.problems, []);
  await page.close();
}

/** Bytes and requests of the first load. */
async function budget(context) {
  const { world } = context;
  const page = await context.browser.page();
  const sizes = new Map();
  context.browser.listeners.push((message) => {
    if (message.sessionId !== page.sessionId) return;
    if (message.method === 'Network.responseReceived')
      sizes.set(message.params.requestId, { url: message.params.response.url, bytes: 0 });
    if (message.method === 'Network.loadingFinished' && sizes.has(message.params.requestId))
      sizes.get(message.params.requestId).bytes = message.params.encodedDataLength;
  });
  await page.open(ui(world));
  await page.sees('live', '.connection');
  await page.sees('of evidence');
  const files = [...sizes.values()].filter((one) => one.url.includes('/ui/'));
  const bytes = files.reduce((sum, one) => sum + one.bytes, 0);
  assert.equal(files.length, 3);
  assert.ok(bytes > 10_000 && bytes < 120_000, `the first load is ${bytes} bytes`);
  await page.close();
  return `${bytes} bytes in ${files.length} files`;
}

/** What changes the rollout, in order. */
export const rolloutJourneys = [
  ['a bad release', badRelease],
  ['orders of a person', orders],
  ['evidence', evidence],
];
/** What does not. */
export const readingJourneys = [
  ['the first load', budget],
  ['a page', onCall],
  ['a browser that is notified', notifiedBrowser],
  ['alerts and silences', alerts],
  ['queries', query],
  ['keyboard', keyboard],
  ['every view', views],
  ['a large graph', largeGraph],
  ['a busy stream', busyStream],
];
/** What needs the program for itself. */
export const lastJourneys = [['an outage', outage]];

/** Lists of thousands are in the page only where they are in sight. */
async function largeLists(context) {
  const { world } = context;
  const page = await visit(context, '#/targets');
  await page.sees('of 10016 targets');
  const rows = await page.value(`document.querySelectorAll('.virtual-row').length`);
  assert.ok(rows < 100, `${rows} rows are in the page`);
  await page.value('window.scrollTo(0, document.body.scrollHeight)');
  await page.wait(
    `document.querySelector('.virtual-row:last-child').getAttribute('aria-posinset') > 9000`,
    'the end of the list',
  );
  await page.value(`location.hash = '#/alerts'`);
  await page.sees('5001 alerts');
  assert.ok((await page.value(`document.querySelectorAll('.virtual-row').length`)) < 100);
  // Typing stays fluent.
  await page.keys('/');
  const start = await page.value('performance.now()');
  await page.type('number=4999');
  await page.sees('1 alert', '#alerts-title');
  const elapsed = (await page.value('performance.now()')) - start;
  checkPage(page, world);
  await page.close();
  return `filtered 5,001 alerts in ${elapsed.toFixed(0)} ms`;
}

/** A hundred changes of a rollout a second, through a server between the page and the program. */
async function busyStream(context) {
  const { world } = context;
  const upstream = new URL(world.address);
  const [rollout] = (await world.ask('v1/rollouts')).rollouts;
  let sent = 0;
  let newest;
  const between = createServer((incoming, outgoing) => {
    if (incoming.url.startsWith('/api/v1/events/stream')) {
      outgoing.writeHead(200, { 'Content-Type': 'text/event-stream' });
      newest = outgoing;
      const timer = setInterval(() => {
        // The page before the login may keep its stream for a moment.
        if (outgoing !== newest) return;
        sent += 1;
        const services = rollout.details.services.map((one) => ({ ...one, candidate: sent % 100 }));
        const changed = { ...rollout, details: { ...rollout.details, services } };
        outgoing.write(`event: rollout\ndata: ${JSON.stringify(changed)}\n\n`);
      }, 10);
      outgoing.on('close', () => clearInterval(timer));
      return;
    }
    const headers = { ...incoming.headers, host: upstream.host };
    const options = {
      host: upstream.hostname,
      port: upstream.port,
      path: incoming.url,
      method: incoming.method,
      headers,
    };
    const forward = request(options, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    forward.on('error', () => outgoing.destroy());
    incoming.pipe(forward);
  });
  await new Promise((resolve) => between.listen(0, '127.0.0.1', resolve));
  const page = await visit({ ...context, world: { address: `http://127.0.0.1:${between.address().port}` } }, '#/');
  try {
    await page.send('Performance.enable', { timeDomain: 'threadTicks' });
    const measure = async () => {
      const { metrics } = await page.send('Performance.getMetrics');
      return Object.fromEntries(metrics.map((one) => [one.name, one.value]));
    };
    const [before, sentBefore] = [await measure(), sent];
    await until(() => sent - sentBefore >= 400, 'four hundred events');
    const after = await measure();
    const share = (after.TaskDuration - before.TaskDuration) / (after.Timestamp - before.Timestamp);
    await page.wait(`document.querySelectorAll('.service-grid li').length === 7`, 'the services');
    assert.ok(share < 0.5, `the page takes ${(100 * share).toFixed(0)} % of a core`);
    const rate = (sent - sentBefore) / (after.Timestamp - before.Timestamp);
    return `${rate.toFixed(0)} events a second take ${(100 * share).toFixed(1)} % of a core`;
  } finally {
    await page.close();
    between.closeAllConnections();
    between.close();
  }
}

/** A thousand series of a thousand points. */
async function largeGraph(context) {
  const page = await visit(context, '#/');
  const times = await page.value(`(async () => {
    const { draw } = await import('/ui/graph.js');
    const element = document.createElement('div');
    element.className = 'graph';
    document.querySelector('main').prepend(element);
    const rows = [];
    for (let at = 0; at < 1000; at += 1) {
      const row = [at * 1000];
      for (let series = 0; series < 1000; series += 1) row.push(Math.sin(at / 50 + series) * series);
      rows.push(row);
    }
    const names = rows[0].slice(1).map((_, index) => 's' + index);
    const spec = { rows, names, colours: names.map((_, index) => 'hsl(' + (index % 360) + ',60%,50%)'), visible: names.map(() => true), isStacked: false,
      isUTC: true, limits: [], marks: [], window: [0, 999000], format: String };
    const handle = draw(element, spec);
    const first = handle.drawnIn();
    handle.update({ ...spec, window: [100000, 900000] });
    const again = handle.drawnIn();
    handle.destroy();
    element.remove();
    return [first, again];
  })()`);
  assert.ok(times[0] < 10_000, `drawn in ${times[0]} ms`);
  assert.deepEqual(page.problems, []);
  await page.close();
  return `1,000 series of 1,000 points drawn in ${times[0].toFixed(0)} ms, again in ${times[1].toFixed(0)} ms`;
}

export const largeJourneys = [['large lists', largeLists]];
