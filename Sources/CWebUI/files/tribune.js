import { draw, colour, most } from './graph.js';

const api = new URL('../api/v1/', document.baseURI);
const period = 5000;
const opened = new Set();
const shown = new Map();

/** An element with attributes and children; strings become text. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === undefined || value === null) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return node;
}

async function ask(path, parameters) {
  const url = new URL(path, api);
  const body = parameters && new URLSearchParams(parameters);
  const response = await fetch(url, body ? { method: 'POST', body } : {});
  if (!(response.headers.get('Content-Type') ?? '').includes('json')) {
    throw new Error(`${response.status} ${(await response.text()).slice(0, 200)}`);
  }
  const answer = await response.json();
  if (answer.status !== 'success') throw new Error(answer.error);
  return answer;
}

/** Silences that are not over, and those that alerts meet. Alertmanager's API has no envelope. */
async function silences() {
  const list = async (path) => {
    const response = await fetch(new URL(`../v2/${path}`, api));
    if (!response.ok) throw new Error(`${response.status} ${path}`);
    return response.json();
  };
  const [all, quiet] = await Promise.all([list('silences'), list('alerts?active=false')]);
  return { current: all.filter((one) => one.status.state !== 'expired'), quiet: quiet.filter((one) => one.status.silencedBy.length) };
}

/** The silences of an alert. What goes to people may have labels more, which name this server. */
const silencing = (set, { current, quiet }) => {
  const found = quiet.find((one) => Object.entries(set).every(([name, value]) => one.labels[name] === value));
  return found ? current.filter((one) => found.status.silencedBy.includes(one.id)) : [];
};

const never = (time) => time.startsWith('0001-');
const clock = (time) => new Date(time).toLocaleTimeString();
const badge = (text, kind) => el('span', { class: `badge ${kind ?? ''}` }, text);
const labels = (set) => el('span', { class: 'labels' }, ...Object.entries(set).flatMap(([name, value], index) =>
  [index ? ' ' : '', el('i', {}, `${name}=`), `"${value}"`]));
const empty = (text) => el('p', { class: 'empty' }, text);

function age(time) {
  const seconds = Math.max(0, (Date.now() - new Date(time)) / 1000);
  for (const [length, unit] of [[86400, 'd'], [3600, 'h'], [60, 'min']]) {
    if (seconds >= length) return `${Math.floor(seconds / length)} ${unit} ago`;
  }
  return `${Math.floor(seconds)} s ago`;
}

const ago = (time) => never(time) ? 'never'
  : el('time', { datetime: time, 'data-ago': true, title: new Date(time).toLocaleString() }, age(time));

function table(caption, heads, rows, kind) {
  return el('div', { class: 'scroll' }, el('table', { class: kind }, el('caption', {}, caption),
    el('thead', {}, el('tr', {}, heads.map((head) => el('th', { scope: 'col', class: head.class }, head.text ?? head)))),
    el('tbody', {}, rows)));
}

/** A foldable part that stays as the reader left it. */
function fold(key, head, open, ...content) {
  const isOpen = opened.has(key) || (Boolean(open) && !opened.has(`-${key}`));
  const node = el('details', { open: isOpen }, el('summary', {}, head), ...content);
  node.addEventListener('toggle', () => {
    opened.delete(node.open ? `-${key}` : key);
    opened.add(node.open ? key : `-${key}`);
  });
  return node;
}

/** Replaces a section's content, but only when it is new: nothing moves under a reader's eyes without cause. */
function show(id, data, count, render) {
  const text = JSON.stringify(data);
  if (shown.get(id) === text) return;
  shown.set(id, text);
  const section = document.getElementById(id);
  section.querySelector('h2 .count')?.remove();
  if (count) section.querySelector('h2').append(el('span', { class: 'count' }, count));
  section.querySelector('.content').replaceChildren(...[render()].flat());
}

// Rollouts

const verbs = [
  ['start', 'Start', 'Begin shifting traffic to the candidate.'],
  ['pause', 'Pause', 'Leave the weights as they are until resumed.'],
  ['resume', 'Resume', 'Go on from where it was paused.'],
  ['promote', 'Promote', 'Move on to the next stage.'],
  ['abort', 'Abort', 'End the rollout and send traffic to the stable version.'],
  ['rollback', 'Roll back', 'Send all traffic to the stable version at once.'],
];
const kinds = [[/fail|froz|trip|unhealthy/, 'bad'], [/roll(ing|ed)?[ _]?back|abort|pause|wait|hold/, 'warn'],
  [/complete|promoted|stable|done|validated/, 'good']];
const kindOf = (state) => (kinds.find(([pattern]) => pattern.test(state)) ?? [])[1];

function plan(rollout) {
  const rows = rollout.routes.map((route) => el('tr', {}, el('th', { scope: 'row' }, route.service),
    el('td', {}, badge(route.state.replaceAll('_', ' '), kindOf(route.state))),
    el('td', {}, weight(route)), el('td', {}, route.frozen ? badge(route.frozen, 'bad') : '–')));
  return el('article', { class: 'plan', 'aria-label': `Plan ${rollout.plan}` },
    el('div', { class: 'plan-head' }, el('h3', {}, rollout.plan),
      badge(rollout.state.replaceAll('_', ' '), kindOf(rollout.state)),
      el('div', { class: 'buttons' }, verbs.map(([verb, name, text]) => el('button', {
        type: 'button', class: verb === 'rollback' || verb === 'abort' ? 'danger' : undefined,
        onclick: () => command(rollout.plan, verb, name, text),
      }, name)))),
    el('div', { class: 'plan-body' },
      table('Traffic by service', ['Service', 'State', 'Stable / candidate', 'Frozen'], rows),
      el('div', {}, el('h3', {}, 'Timeline'), timeline(rollout.timeline))));
}

function weight(route) {
  const share = el('span', { 'data-none': route.candidateWeight === 0 });
  share.style.setProperty('--share', `${route.candidateWeight}%`);
  return el('div', { class: 'weight' }, el('span', { class: 'track', 'aria-hidden': 'true' }, share),
    el('span', {}, `${route.stable} ${route.stableWeight} %`, el('br'), `${route.candidate} ${route.candidateWeight} %`));
}

function timeline(moments) {
  if (moments.length === 0) return empty('Nothing has happened yet.');
  const last = moments.slice(-12);
  return el('ol', { class: 'timeline' }, last.map((moment, index) => {
    const passed = index ? new Date(moment.time) - new Date(last[index - 1].time) : 0;
    return el('li', {}, el('time', { datetime: moment.time }, clock(moment.time)),
      index ? el('span', { class: 'delta' }, passed < 10000 ? `+${passed} ms` : `+${Math.round(passed / 1000)} s`) : null,
      moment.text);
  }));
}

function command(name, verb, title, text) {
  const dialog = document.getElementById('command');
  const form = dialog.querySelector('form');
  const error = document.getElementById('command-error');
  const confirm = document.getElementById('command-confirm');
  form.reset();
  error.hidden = true;
  document.getElementById('command-title').textContent = `${title} ${name}?`;
  document.getElementById('command-text').textContent = text;
  confirm.textContent = title;
  form.onsubmit = async (event) => {
    if (event.submitter?.value === 'cancel') return;
    event.preventDefault();
    confirm.disabled = true;
    try {
      const token = form.elements.token.value;
      const response = await fetch(new URL(`rollouts/${encodeURIComponent(name)}/${verb}`, api), {
        method: 'POST', headers: token ? { Authorization: `Bearer ${token}` } : {},
        body: new URLSearchParams({ reason: form.elements.reason.value }),
      });
      const answer = await response.json();
      if (answer.status !== 'success') throw new Error(answer.error);
      dialog.close();
      refresh();
    } catch (fault) {
      error.textContent = fault.message;
      error.hidden = false;
    } finally {
      confirm.disabled = false;
    }
  };
  dialog.showModal();
}

// Alerts, targets, rules, ledger

function alert(one, quiet) {
  const { alertname, severity, ...rest } = one.labels;
  return el('tr', {}, el('th', { scope: 'row' }, alertname ?? '', el('p', {}, one.annotations.summary ?? ''),
    silencing(one.labels, quiet).map((by) => el('p', {}, badge('silenced', 'warn'), ` by ${by.createdBy}: ${by.comment}`))),
    el('td', {}, badge(one.state, one.state === 'firing' ? 'bad' : 'warn'), severity ? ` ${severity}` : ''),
    el('td', {}, labels(rest)), el('td', { class: 'number' }, String(Number(one.value))),
    el('td', {}, ago(one.activeAt)));
}

function silence(one) {
  const sign = (matcher) => (matcher.isEqual ? '=' : '!') + (matcher.isRegex ? '~' : matcher.isEqual ? '' : '=');
  return el('tr', {}, el('th', { scope: 'row' }, el('code', {}, one.matchers.map((it) => `${it.name}${sign(it)}"${it.value}"`).join(' '))),
    el('td', {}, badge(one.status.state, 'warn')), el('td', {}, one.createdBy), el('td', {}, one.comment),
    el('td', {}, new Date(one.startsAt).toLocaleString()), el('td', {}, new Date(one.endsAt).toLocaleString()));
}

function bottlenecks(found) {
  const row = (one) => el('tr', {},
    el('th', { scope: 'row' }, one.subject || '–', el('p', {}, `${one.kind}: ${one.name.replaceAll('_', ' ')}`)),
    el('td', {}, badge(one.status, { bottleneck: 'bad', near: 'warn', ok: 'good' }[one.status])),
    el('td', { class: 'number' }, one.score === null ? '–' : Number(one.score).toFixed(2)),
    el('td', { class: 'number' }, one.value === null ? one.evidence.reason : `${Number(one.value).toPrecision(3)} of ${one.threshold}`),
    el('td', {}, one.dependents.join(', ') || '–'));
  const heads = ['What', 'State', { text: 'Score', class: 'number' }, { text: 'Value', class: 'number' }, 'Holds up'];
  const known = found.filter((one) => one.status !== 'unknown');
  const unknown = found.filter((one) => one.status === 'unknown');
  return [known.length ? table('Worst first', heads, known.slice(0, 15).map(row)) : empty('Nothing of it has been measured.'),
    unknown.length ? fold('unknown bottlenecks', `${unknown.length} ${unknown.length === 1 ? 'is' : 'are'} unknown`, false,
      table('Without data', heads, unknown.map(row))) : null].filter(Boolean);
}

// It makes a dozen queries, so it is refreshed every half minute.
let surveyed = 0;

async function survey() {
  if (Date.now() - surveyed < 30000) return;
  surveyed = Date.now();
  try {
    const found = (await ask('bottlenecks')).data.bottlenecks ?? [];
    show('bottlenecks', found, '', () => bottlenecks(found));
  } catch (fault) {
    show('bottlenecks', fault.message, '', () => el('p', { class: 'notice warn' }, fault.message));
  }
}

function targets(active) {
  const bad = (target) => target.health !== 'up';
  const row = (target) => el('tr', {},
    el('th', { scope: 'row' }, target.labels.instance ?? target.scrapeUrl,
      target.lastError ? el('p', { class: 'notice bad' }, target.lastError) : null),
    el('td', {}, target.scrapePool),
    el('td', {}, badge(target.health, { up: 'good', down: 'bad' }[target.health])),
    el('td', {}, ago(target.lastScrape)),
    el('td', { class: 'number' }, `${(target.lastScrapeDuration * 1000).toFixed(1)} ms`));
  const list = (name, part) => table(name, ['Target', 'Job', 'Health', 'Scraped', { text: 'Took', class: 'number' }], part.map(row));
  const failing = active.filter(bad);
  const healthy = active.filter((target) => !bad(target));
  if (active.length <= 20) return list('Targets', [...failing, ...healthy]);
  return [failing.length ? list('Targets that are not up', failing) : empty('Every target is up.'),
    fold('healthy targets', `${healthy.length} targets are up`, false, list('Targets that are up', healthy))];
}

function group(one) {
  const failing = one.rules.filter((rule) => rule.health === 'err').length;
  const active = one.rules.filter((rule) => rule.state === 'firing').length;
  const head = [el('strong', {}, one.name), el('span', { class: 'quiet' }, one.file.split('/').pop()),
    failing ? badge(`${failing} failing`, 'bad') : null, active ? badge(`${active} firing`, 'bad') : null,
    !failing && !active ? badge(`${one.rules.length} ok`, 'good') : null];
  const rows = one.rules.map((rule) => el('tr', {},
    el('th', { scope: 'row' }, rule.name, rule.rollback ? [' ', badge(`rollback ${rule.rollback.trip}`)] : null,
      el('p', {}, el('code', {}, rule.query)),
      rule.lastError ? el('p', { class: 'notice bad' }, rule.lastError) : null),
    el('td', {}, rule.type === 'recording' ? badge('recording') : badge(
      (rule.rollback && { firing: 'tripped', pending: `streak ${rule.rollback.streak}`, inactive: 'holds' }[rule.state]) || rule.state,
      { firing: 'bad', pending: 'warn', inactive: 'good' }[rule.state])),
    el('td', {}, badge(rule.health, { ok: 'good', err: 'bad' }[rule.health])), el('td', {}, ago(rule.lastEvaluation))));
  return fold(`group ${one.file} ${one.name}`, head, failing || active,
    table(`Rules of ${one.name}`, ['Rule', 'State', 'Health', 'Evaluated'], rows, 'stacked'));
}

// Batches of measurements arrive every few seconds and would displace everything else.
const wanted = ['violation', 'decision', 'rollback_step', 'alert', 'acknowledgement', 'silence', 'deployment', 'checkpoint',
  'config_change', 'login', 'migration', 'retention', 'gap', 'damage', 'erasure', 'node_key'].map((kind) => `&kind=${kind}`).join('');

/** What one wants to know at a glance; the whole body unfolds. */
function gist(body) {
  const trip = body.cause?.trip ?? body.causes?.[0]?.trip;
  const parts = [body.step, body.verb ?? body.command, body.detail, body.condition, body.state, body.receiver && `to ${body.receiver}`,
    body.by && `by ${body.by}`, body.comment,
    body.error, body.reason, body.annotations?.summary, !body.detail && trip?.name];
  return parts.filter((part) => typeof part === 'string' && part !== '').join(' · ');
}

function event(one) {
  const key = `event ${one.index ?? `${one.time} ${one.kind} ${one.subject}`}`;
  return el('tr', {}, el('td', { class: 'number' }, one.index ?? '…'),
    el('td', {}, el('time', { datetime: one.time }, new Date(one.time).toLocaleString())),
    el('td', {}, badge(one.kind.replaceAll('_', ' '), { violation: 'bad', rollback_step: 'warn', decision: 'warn' }[one.kind])),
    el('th', { scope: 'row', class: 'subject' }, one.subject.startsWith('{') ? one.subject : one.subject.split(/[/;]/).pop()),
    el('td', { class: 'particulars' }, fold(key, gist(one.body) || 'Particulars', false, el('pre', { tabindex: 0 }, JSON.stringify(one.body, null, 2)))));
}

/** What the running service found when it last verified the whole record. */
function verification(status) {
  const check = status?.verification;
  if (status?.halted) return el('p', { class: 'notice bad' }, status.halted);
  if (!check?.finishedAt) return el('p', { class: 'quiet' }, 'The record has not been verified since the start.');
  const at = new Date(check.finishedAt).toLocaleTimeString();
  return check.problems
    ? el('p', { class: 'notice bad' }, `The record has been altered (${check.problems} problems, verified at ${at}): ${check.message}`)
    : el('p', { class: 'quiet' }, `${check.entries} entries were verified at ${at}: the record is intact.`);
}

function figures(state) {
  const up = state.targets.filter((target) => target.health === 'up').length;
  const firing = state.alerts.filter((one) => one.state === 'firing').length;
  const failing = state.rules.flatMap((one) => one.rules).filter((rule) => rule.health === 'err').length;
  const moving = state.rollouts.filter((one) => /^(promoting|paused|rolling)/.test(one.state)).length;
  const stuck = state.rollouts.filter((one) => /^(rolled_back|frozen|failed)/.test(one.state) || one.routes.some((route) => route.frozen)).length;
  const list = [
    ['#targets', `${up} / ${state.targets.length}`, 'targets up', up < state.targets.length ? 'bad' : 'good'],
    ['#alerts', firing, 'alerts firing', firing ? 'bad' : 'good'],
    ['#rules', failing, 'rules failing', failing ? 'bad' : 'good'],
    stuck ? ['#rollouts', `${stuck} / ${state.rollouts.length}`, 'rollouts taken back or frozen', 'bad']
      : ['#rollouts', `${moving} / ${state.rollouts.length}`, 'rollouts under way', moving ? 'warn' : 'good'],
  ];
  document.getElementById('figures').replaceChildren(...list.map(([href, value, name, kind]) =>
    el('li', { class: kind }, el('a', { href }, el('span', { class: 'value' }, String(value)), el('span', { class: 'name' }, name)))));
  document.title = firing ? `(${firing}) Tribune` : 'Tribune';
}

async function refresh() {
  const connection = document.getElementById('connection');
  try {
    const answers = await Promise.all(['rollouts', 'alerts', 'targets?state=active', 'rules', `history/events?limit=20${wanted}`, 'history/status']
      .map((path) => ask(path).catch((fault) => path.startsWith('history') ? { data: { events: null } } : Promise.reject(fault))));
    const [rollouts, alerts, active, rules, events, status] = answers.map((answer) => answer.data);
    const state = { rollouts: rollouts.rollouts, alerts: alerts.alerts, targets: active.activeTargets, rules: rules.groups };
    figures(state);
    survey();
    show('rollouts', state.rollouts, '', () => state.rollouts.length ? state.rollouts.map(plan) : empty('No rollout plan is loaded.'));
    const sorted = [...state.alerts].sort((a, b) => a.state.localeCompare(b.state) || b.activeAt.localeCompare(a.activeAt));
    const quiet = await silences();
    show('alerts', [sorted, quiet], '', () => [sorted.length ? table('Alerts that are pending or firing',
      ['Alert', 'State', 'Labels', { text: 'Value', class: 'number' }, 'Since'], sorted.map((one) => alert(one, quiet)))
      : empty('Nothing is pending or firing.'),
    quiet.current.length ? [el('h3', {}, 'Silences'), table('Silences', ['Of alerts with', 'State', 'By', 'Because', 'From', 'To'],
      quiet.current.map(silence), 'stacked')] : []].flat());
    show('targets', state.targets, '', () => state.targets.length ? targets(state.targets) : empty('No target is configured.'));
    show('rules', state.rules, '', () => state.rules.length ? state.rules.map(group) : empty('No rule is loaded.'));
    show('ledger', [events, status], events.events?.length ? 'the last 20 events, without batches of measurements' : '', () => [
      verification(status),
      events.source === 'spool' ? el('p', { class: 'notice warn' }, 'The history database cannot be read now. These events are in the spool.') : [],
      !events.events ? el('p', { class: 'notice warn' }, 'The history cannot be read now.')
        : events.events.length ? table('Newest first', [{ text: 'No.', class: 'number' }, 'Time', 'Kind', 'Subject', 'Particulars'],
          events.events.map(event), 'stacked') : empty('No event has been recorded yet.')].flat());
    connection.textContent = `as of ${new Date().toLocaleTimeString()}`;
    connection.className = '';
  } catch (fault) {
    connection.textContent = `no answer: ${fault.message}`;
    connection.className = 'badge bad';
  }
}

// Query

const form = document.querySelector('#query form');
const result = document.querySelector('#query .content');

async function run() {
  const expression = form.elements.expr.value.trim();
  if (!expression) return;
  const range = Number(form.elements.range.value);
  history.replaceState(null, '', `?${new URLSearchParams({ expr: expression, range })}${location.hash}`);
  const end = Date.now() / 1000;
  try {
    const now = await ask('query', { query: expression, time: end, limit: 500 });
    const type = now.data.resultType;
    const drawn = type === 'vector' || type === 'scalar'
      ? await ask('query_range', { query: expression, start: end - range, end, step: Math.max(1, Math.round(range / 300)), limit: 50 }) : null;
    const notes = [...(now.warnings ?? []), ...(now.infos ?? [])].map((note) => el('p', { class: 'notice warn' }, note));
    const lines = drawn?.data.result ?? [];
    if (lines.length > most) notes.push(el('p', { class: 'quiet' }, `The graph shows the first ${most} series.`));
    result.replaceChildren(...notes, lines.length ? draw(lines, end - range, end, result.clientWidth) : '', values(now.data, lines));
  } catch (fault) {
    result.replaceChildren(el('p', { class: 'notice bad', role: 'alert' }, fault.message));
  }
}

/** The latest values. A series has the colour of its line: the graph also has series that ended, so places differ. */
function values(data, lines) {
  if (!Array.isArray(data.result) || data.result.length === 0) return empty('The result is empty.');
  if (data.resultType === 'scalar' || data.resultType === 'string') return el('p', {}, el('code', {}, data.result[1]));
  const identity = (metric) => JSON.stringify(Object.entries(metric).sort());
  const places = new Map(lines.slice(0, most).map((line, index) => [identity(line.metric), index]));
  const rows = data.result.map((one) => {
    const { __name__: name, ...rest } = one.metric;
    const place = places.get(identity(one.metric));
    const swatch = el('span', { class: 'swatch', 'aria-hidden': 'true' });
    if (place !== undefined) swatch.style.background = colour(place);
    const value = one.value?.[1] ?? (one.histogram ? `count ${one.histogram[1].count}, sum ${one.histogram[1].sum}`
      : (one.values ?? []).map(([time, text]) => `${text} @${time}`).join('\n'));
    return el('tr', {}, el('td', {}, swatch, name ? el('code', {}, name) : '', ' ', labels(rest)), el('td', { class: 'number' }, value));
  });
  return table(`${rows.length} series`, ['Series', { text: 'Value', class: 'number' }], rows);
}

form.addEventListener('submit', (event) => { event.preventDefault(); run(); });
form.elements.range.addEventListener('change', run);
form.elements.expr.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey) { event.preventDefault(); run(); }
});

const given = new URLSearchParams(location.search);
if (given.get('expr')) {
  form.elements.expr.value = given.get('expr');
  if (given.get('range')) form.elements.range.value = given.get('range');
  run();
}
ask('status/buildinfo').then(({ data }) => {
  document.getElementById('build').textContent = `${data.application} ${data.applicationVersion}, API of Prometheus ${data.version}`;
}).catch(() => {});
setInterval(() => { if (!document.hidden) refresh(); }, period);
setInterval(() => {
  for (const node of document.querySelectorAll('time[data-ago]')) node.textContent = age(node.dateTime);
}, 1000);
document.addEventListener('visibilitychange', () => { if (!document.hidden) refresh(); });
// A link to a part of the page is correct only when everything above it is there.
refresh().then(() => document.getElementById(location.hash.slice(1))?.scrollIntoView());
