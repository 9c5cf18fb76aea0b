import { h } from 'preact';
import { deleteApiV2SilenceId, getApiV1Explain, getApiV1HistoryEvents, getApiV2Alerts, getApiV2AlertsGroups, postApiV2Silences } from '../api/operations';
import { Alert, LabelSet, NotifiedAlert, Rule, Silence } from '../api/types';
import { gist } from '../model/evidence';
import { matcherText, mentions, parseMatchers, wordsOf } from '../model/labels';
import { AlertRow, alertRows, alertsOfGroups, matchersFor } from '../model/lists';
import { alertID, rulesInState, Tone, trippedNames, words } from '../model/now';
import { formatDuration, parseDuration } from '../model/time';
import { link } from '../router';
import { labelKey, may } from '../state/live';
import { Asked } from './asked';
import { View } from './context';
import { Badge, Card, Empty, Fault, Input, Labels, Loading, Modal, Time, VirtualList } from './parts';
import { RuleGraph } from './rule-graph';

const tones: { [state in AlertRow['state']]: Tone } = { tripped: 'bad', firing: 'bad', pending: 'warn', silenced: 'plain', inhibited: 'plain' };

/** All alerts, and the silences. */
export function AlertsView(view: View) {
  // A silence that begins or ends changes how alerts are notified.
  const silences = (view.page.live.silences ?? []).map((one) => one.id + one.status.state).join();
  return <Asked id={`groups ${silences}`} every={10} ask={(signal: AbortSignal) => view.store.client.send(getApiV2AlertsGroups, {}, signal)}
    show={({ data }) => <AlertList view={view} notified={alertsOfGroups(data ?? [])} />} />;
}

function AlertList({ view, notified }: { view: View; notified: NotifiedAlert[] }) {
  const { page, store } = view;
  const { live, place, now } = page;
  const search = place.parameters.get('q') ?? '';
  const wanted = wordsOf(search);
  const rows = alertRows(live.alerts ?? [], notified, trippedNames(live.groups ?? []), labelKey);
  const shown = rows.filter((row) => mentions(row.labels, wanted, row.state, row.annotations['summary'] ?? ''));
  const set = (text: string) => store.replace(link(['alerts'], { q: text }));
  return <div class="view">
    <header class="title-row"><h1 class="title">Alerts</h1>
      <label class="search"><span class="hidden">Filter alerts</span><input type="search" data-search placeholder="Filter: service=auth critical" value={search}
        onInput={(event: any) => set(event.target.value)} /></label>
      {may(live, 'silence') ? <button type="button" onClick={() => askForSilence(view, {})}>New silence</button> : null}
    </header>
    <Card id="alerts" title={live.alerts === undefined ? 'Alerts' : `${shown.length} ${shown.length === 1 ? 'alert' : 'alerts'}`} wide>
      {live.alerts === undefined ? <Loading lines={6} /> : rows.length === 0
        ? <Empty title="Nothing is pending or firing."><p class="quiet">{rulesInState(live.groups ?? [], (rule) => rule.type === 'alerting').length} rules are evaluated; <a href={link(['rules'])}>see them</a>.</p></Empty>
        : shown.length === 0 ? <Empty title="No alert meets this filter."><button type="button" onClick={() => set('')}>Show all</button></Empty>
          : <VirtualList rows={shown} height={62} label="Alerts" render={(row: AlertRow) => <div class="alert-row">
            <Badge tone={tones[row.state]} text={row.state} />
            <a class="grow" href={link(['alerts', alertID(row)])}><b>{row.labels['alertname'] ?? 'alert without a name'}</b>
              <span class="clip">{row.annotations['summary'] ?? row.annotations['description'] ?? ''}</span>
              <Labels labels={row.labels} only={Object.keys(row.labels).filter((name) => name !== 'alertname').sort()} /></a>
            <Time at={row.since} now={now} />
            {may(live, 'silence') && row.silencedBy.length === 0 ? <button type="button" class="small" aria-label={`Silence ${row.labels['alertname']}`}
              onClick={() => askForSilence(view, row.labels)}>Silence</button> : null}
          </div>} />}
    </Card>
    <Card id="silences" title="Silences" wide><Silences view={view} /></Card>
  </div>;
}

function Silences({ view }: { view: View }) {
  const { live, now } = view.page;
  const silences = live.silences;
  if (silences === undefined) return <Loading />;
  const current = silences.filter((one) => one.status.state !== 'expired');
  const expired = silences.filter((one) => one.status.state === 'expired');
  return <div>
    {current.length === 0 ? <Empty title="No silence is in force.">{may(live, 'silence') ? null : <p class="quiet">You may not silence alerts here.</p>}</Empty> : null}
    <ul class="silences">{[...current, ...expired.slice(0, 10)].map((silence) => <li key={silence.id} class={silence.status.state}>
      <Badge tone={silence.status.state === 'active' ? 'warn' : 'plain'} text={silence.status.state} />
      <span class="grow"><code class="wrap">{silence.matchers.map(matcherText).join(', ')}</code>
        <span class="quiet">{silence.comment} · by {silence.createdBy}</span></span>
      <span class="quiet">{silence.status.state === 'expired' ? 'ended ' : 'ends '}<Time at={silence.endsAt} now={now} /></span>
      {silence.status.state !== 'expired' && may(live, 'silence') ? <button type="button" class="small" onClick={() => askToExpire(view, silence)}>Expire</button> : null}
    </li>)}</ul>
  </div>;
}

function askToExpire({ store }: View, silence: Silence): void {
  const close = () => store.change({ dialog: null });
  store.change({
    dialog: {
      render: () => <Modal title="Expire this silence" confirm="Expire" close={close} submit={async () => {
        await store.client.send(deleteApiV2SilenceId, { id: silence.id });
        store.say('The silence has ended.');
        store.load('silences');
      }}><p>People are notified again of alerts with <code>{silence.matchers.map(matcherText).join(', ')}</code>.</p></Modal>,
    },
  });
}

/** A form for a silence, with what it hits as the server sees it. */
export function askForSilence(view: View, labels: LabelSet): void {
  const { store } = view;
  const close = () => store.change({ dialog: null });
  let text = matchersFor(labels).map(matcherText).join(', ');
  const render = () => <Modal title="Silence alerts" confirm="Create the silence" close={close} submit={async (form) => {
    const matchers = parseMatchers(String(form.get('matchers')));
    if (matchers.length === 0) throw new Error('A silence needs a matcher, such as alertname="Down".');
    const seconds = parseDuration(String(form.get('duration')));
    if (!seconds) throw new Error('The duration is written as 30m, 2h or 1d.');
    const start = Date.now();
    await store.client.send(postApiV2Silences, {
      body: {
        matchers, startsAt: new Date(start).toISOString(), endsAt: new Date(start + seconds * 1000).toISOString(),
        createdBy: String(form.get('by')), comment: String(form.get('comment')),
      },
    });
    store.say(`Silenced for ${formatDuration(seconds)}.`);
    store.load('silences');
  }}>
    <label>Alerts with <textarea name="matchers" rows={3} spellCheck={false} value={text} onInput={(event: any) => {
      text = event.target.value;
      store.change({ dialog: { render } });
    }} /></label>
    <Hits view={view} text={text} />
    <div class="fields">
      <label>For <Input name="duration" initial="2h" list="durations" autocomplete="off" /></label>
      <datalist id="durations">{['30m', '1h', '2h', '8h', '1d', '1w'].map((one) => <option key={one} value={one} />)}</datalist>
      <label>By <Input name="by" initial={store.page.live.identity?.name ?? ''} required autocomplete="name" /></label>
    </div>
    <label>Because <input name="comment" required maxLength={500} autocomplete="off" /></label>
  </Modal>;
  store.change({ dialog: { render } });
}

/** The alerts that matchers hit now. */
function Hits({ view, text }: { view: View; text: string }) {
  let filters: string[];
  try {
    filters = parseMatchers(text).map(matcherText);
  } catch (fault) {
    return <p class="notice warn">{(fault as Error).message}</p>;
  }
  if (filters.length === 0) return <p class="notice warn">Without a matcher it would hit every alert.</p>;
  return <Asked id={filters.join(',')} ask={(signal: AbortSignal) => view.store.client.send(getApiV2Alerts, { filter: filters }, signal)}
    show={({ data, fault }) => (fault ? <p class="notice warn">{fault}</p> : <p class="hits" aria-live="polite">{data === undefined ? 'Looking for alerts …'
      : data.length === 0 ? 'It hits no alert that fires now, and those to come.'
        : `It hits ${data.length} ${data.length === 1 ? 'alert' : 'alerts'} now: ${data.slice(0, 5).map((one) => one.labels['alertname']).join(', ')}${data.length > 5 ? ' …' : ''}`}</p>)} />;
}

/** One alert: its rule, what changed before it, whom it was sent to. */
export function AlertView(view: View & { id: string }) {
  const { page, id, store } = view;
  const { live, now } = page;
  let labels: LabelSet;
  try {
    labels = Object.fromEntries(JSON.parse(id) as [string, string][]);
  } catch {
    return <div class="view"><Empty title="This address names no alert."><p><a href={link(['alerts'])}>All alerts</a></p></Empty></div>;
  }
  const name = labels['alertname'] ?? '';
  const alert = (live.alerts ?? []).find((one) => labelKey(one.labels) === labelKey(labels));
  const found = rulesInState(live.groups ?? [], (rule) => rule.name === name)[0];
  const related = (live.alerts ?? []).filter((one) => one !== alert
    && ['service', 'instance', 'job'].some((label) => labels[label] !== undefined && one.labels[label] === labels[label]));
  const since = alert ? Date.parse(alert.activeAt) : now;
  const runbook = alert?.annotations['runbook_url'] ?? alert?.annotations['runbook'];
  return <div class="view">
    <header class="title-row"><h1 class="title">{name}</h1>
      {alert ? <Badge tone={alert.state === 'firing' ? 'bad' : 'warn'} text={found?.rule.rollback?.tripped ? 'tripped' : alert.state} /> : <Badge tone="good" text="not firing" />}
      {may(live, 'silence') ? <button type="button" onClick={() => askForSilence(view, labels)}>Silence</button> : null}
    </header>
    <Card id="what" title="What it says">
      <p>{alert?.annotations['summary'] ?? alert?.annotations['description'] ?? 'The rule has no summary.'}</p>
      <Labels labels={labels} />
      {alert ? <p class="quiet">Value {Number(alert.value)}, since <Time at={alert.activeAt} now={now} />.</p> : null}
      {runbook ? <p><a href={runbook} rel="noreferrer">Runbook</a></p> : null}
    </Card>
    <Card id="why" title="Why people were told, or not"><Explained view={view} name={name} labels={labels} /></Card>
    {found ? <Card id="rule" title="Measurements of the rule" wide aside={<a href={link(['rules'], { q: found.rule.name })}>The rule</a>}>
      <RuleGraph view={view} rule={found.rule as Rule} range={3600} /></Card> : null}
    <Card id="changed" title="What changed in the hour before">
      <Asked id={`${id} ${Math.round(since / 60_000)}`} ask={(signal: AbortSignal) => store.client.send(getApiV1HistoryEvents, {
        kind: ['deployment', 'config_change', 'order', 'decision'], start: since / 1000 - 3600, end: since / 1000 + 60, limit: 20,
      }, signal)} show={({ data, fault, ask }) => (fault ? <Fault text={fault} retry={ask} /> : !data ? <Loading /> : data.events.length === 0
        ? <Empty title="Nothing was deployed or configured in that hour." />
        : <ul class="events">{data.events.map((event) => <li key={String(event.index)}><a href={link(['evidence', String(event.index)])}>
          <Time at={event.time} now={now} /> <b>{words(event.kind)}</b> <span>{event.subject.split(';').pop()} {gist(event)}</span></a></li>)}</ul>)} />
    </Card>
    <Card id="related" title="Related alerts">
      {related.length === 0 ? <Empty title="No other alert is about the same service, instance or job." />
        : <ul class="lines">{related.slice(0, 20).map((one: Alert) => <li key={alertID(one)}><a href={link(['alerts', alertID(one)])}>{one.labels['alertname']}</a> <Labels labels={one.labels} /></li>)}</ul>}
    </Card>
  </div>;
}

function Explained({ view, name, labels }: { view: View; name: string; labels: LabelSet }) {
  const filter = Object.entries(labels).filter(([label]) => label !== 'alertname').map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return <Asked id={name + filter.join()} every={30} ask={(signal: AbortSignal) => view.store.client.send(getApiV1Explain, { alert: name, filter }, signal)}
    show={({ data, fault, ask }) => (fault ? <Fault text={fault} retry={ask} /> : !data ? <Loading /> : data.alerts.length === 0
      ? <Empty title="The server knows no such alert at present." />
      : <ul class="lines">{data.alerts.map((one, index) => <li key={String(index)}><p>{one.conclusion}</p>
        <p class="quiet">{one.routes.map((route) => `Receiver ${route.receiver}: ${route.integrations.join(', ')}${route.firing_sent_to.length > 0 ? `; sent to ${route.firing_sent_to.join(', ')}` : ''}`).join('. ')}</p>
      </li>)}</ul>)} />;
}
