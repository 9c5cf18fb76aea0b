import { h } from 'preact';

import { getApiV1Explain, getApiV1HistoryEvents } from '../api/operations';
import type { Alert, LabelSet, Rule } from '../api/types';
import { gist } from '../model/evidence';
import { alertID, rulesInState, words } from '../model/now';
import { link } from '../router';
import { labelKey, may } from '../state/live';
import { Asked } from './asked';
import type { View } from './context';
import { Badge, Card, Empty, Fault, Labels, Loading, Time } from './parts';
import { RuleGraph } from './rule-graph';
import { askForSilence } from './silences';

/** One alert: its rule, what changed before it, whom it was sent to. */
export function AlertView(view: View & { id: string }) {
  const { page, id, store } = view;
  const { live, now } = page;
  let labels: LabelSet;
  try {
    labels = Object.fromEntries(JSON.parse(id) as [string, string][]);
  } catch {
    return (
      <div class="view">
        <Empty title="This address names no alert.">
          <p>
            <a href={link(['alerts'])}>All alerts</a>
          </p>
        </Empty>
      </div>
    );
  }
  const name = labels['alertname'] ?? '';
  const alert = (live.alerts ?? []).find((one) => labelKey(one.labels) === labelKey(labels));
  const found = rulesInState(live.groups ?? [], (rule) => rule.name === name)[0];
  const related = (live.alerts ?? []).filter(
    (one) =>
      one !== alert &&
      ['service', 'instance', 'job'].some(
        (label) => labels[label] !== undefined && one.labels[label] === labels[label],
      ),
  );
  const since = alert ? Date.parse(alert.activeAt) : now;
  const runbook = alert?.annotations['runbook_url'] ?? alert?.annotations['runbook'];
  return (
    <div class="view">
      <header class="title-row">
        <h1 class="title">{name}</h1>
        {alert ? (
          <Badge
            tone={alert.state === 'firing' ? 'bad' : 'warn'}
            text={found?.rule.rollback?.tripped ? 'tripped' : alert.state}
          />
        ) : (
          <Badge tone="good" text="not firing" />
        )}
        {may(live, 'silence') ? (
          <button type="button" onClick={() => askForSilence(view, labels)}>
            Silence
          </button>
        ) : null}
      </header>
      <Card id="what" title="What it says">
        <p>{alert?.annotations['summary'] ?? alert?.annotations['description'] ?? 'The rule has no summary.'}</p>
        <Labels labels={labels} />
        {alert ? (
          <p class="quiet">
            Value {Number(alert.value)}, since <Time at={alert.activeAt} now={now} />.
          </p>
        ) : null}
        {runbook ? (
          <p>
            <a href={runbook} rel="noreferrer">
              Runbook
            </a>
          </p>
        ) : null}
      </Card>
      <Card id="why" title="Why people were told, or not">
        <Explained view={view} name={name} labels={labels} />
      </Card>
      {found ? (
        <Card
          id="rule"
          title="Measurements of the rule"
          wide
          aside={<a href={link(['rules'], { q: found.rule.name })}>The rule</a>}
        >
          <RuleGraph view={view} rule={found.rule as Rule} range={3600} />
        </Card>
      ) : null}
      <Card id="changed" title="What changed in the hour before">
        <Asked
          id={`${id} ${Math.round(since / 60_000)}`}
          ask={(signal: AbortSignal) =>
            store.client.send(
              getApiV1HistoryEvents,
              {
                kind: ['deployment', 'config_change', 'decision'],
                start: since / 1000 - 3600,
                end: since / 1000 + 60,
                limit: 20,
              },
              signal,
            )
          }
          show={({ data, fault, ask }) =>
            fault ? (
              <Fault text={fault} retry={ask} />
            ) : !data ? (
              <Loading />
            ) : data.events.length === 0 ? (
              <Empty title="Nothing was deployed or configured in that hour." />
            ) : (
              <ul class="events">
                {data.events.map((event) => (
                  <li key={String(event.index)}>
                    <a href={link(['evidence', String(event.index)])}>
                      <Time at={event.time} now={now} /> <b>{words(event.kind)}</b>{' '}
                      <span>
                        {event.subject.split(';').pop()} {gist(event)}
                      </span>
                    </a>
                  </li>
                ))}
              </ul>
            )
          }
        />
      </Card>
      <Card id="related" title="Related alerts">
        {related.length === 0 ? (
          <Empty title="No other alert is about the same service, instance or job." />
        ) : (
          <ul class="lines">
            {related.slice(0, 20).map((one: Alert) => (
              <li key={alertID(one)}>
                <a href={link(['alerts', alertID(one)])}>{one.labels['alertname']}</a> <Labels labels={one.labels} />
              </li>
            ))}
          </ul>
        )}
      </Card>
    </div>
  );
}

function Explained({ view, name, labels }: { view: View; name: string; labels: LabelSet }) {
  const filter = Object.entries(labels)
    .filter(([label]) => label !== 'alertname')
    .map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return (
    <Asked
      id={name + filter.join()}
      every={30}
      ask={(signal: AbortSignal) => view.store.client.send(getApiV1Explain, { alert: name, filter }, signal)}
      show={({ data, fault, ask }) =>
        fault ? (
          <Fault text={fault} retry={ask} />
        ) : !data ? (
          <Loading />
        ) : data.alerts.length === 0 ? (
          <Empty title="The server knows no such alert at present." />
        ) : (
          <ul class="lines">
            {data.alerts.map((one, index) => (
              <li key={String(index)}>
                <p>{one.conclusion}</p>
                <p class="quiet">
                  {one.routes
                    .map(
                      (route) =>
                        `Receiver ${route.receiver}: ${route.integrations.join(', ')}${route.firing_sent_to.length > 0 ? `; sent to ${route.firing_sent_to.join(', ')}` : ''}`,
                    )
                    .join('. ')}
                </p>
              </li>
            ))}
          </ul>
        )
      }
    />
  );
}
