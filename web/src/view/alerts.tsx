import { h } from 'preact';

import { getApiV2AlertsGroups } from '../api/operations';
import type { NotifiedAlert } from '../api/types';
import { mentions, wordsOf } from '../model/labels';
import { type AlertRow, alertRows, alertsOfGroups } from '../model/lists';
import { alertID, rulesInState, type Tone, trippedNames } from '../model/now';
import { link } from '../router';
import { labelKey, may } from '../state/live';
import { Asked } from './asked';
import type { View } from './context';
import { Badge, Card, Empty, Labels, Loading, Time, VirtualList } from './parts';
import { askForSilence, Silences } from './silences';

const tones: { [state in AlertRow['state']]: Tone } = {
  tripped: 'bad',
  firing: 'bad',
  pending: 'warn',
  silenced: 'plain',
  inhibited: 'plain',
};

/** All alerts, and the silences. */
export function AlertsView(view: View) {
  // A silence that begins or ends changes how alerts are notified.
  const silences = (view.page.live.silences ?? []).map((one) => one.id + one.status.state).join();
  return (
    <Asked
      id={`groups ${silences}`}
      every={10}
      ask={(signal: AbortSignal) => view.store.client.send(getApiV2AlertsGroups, {}, signal)}
      show={({ data }) => <AlertList view={view} notified={alertsOfGroups(data ?? [])} />}
    />
  );
}

function AlertList({ view, notified }: { view: View; notified: NotifiedAlert[] }) {
  const { page, store } = view;
  const { live, place, now } = page;
  const search = place.parameters.get('q') ?? '';
  const wanted = wordsOf(search);
  const rows = alertRows(live.alerts ?? [], notified, trippedNames(live.groups ?? []), labelKey);
  const shown = rows.filter((row) => mentions(row.labels, wanted, row.state, row.annotations['summary'] ?? ''));
  const set = (text: string) => store.replace(link(['alerts'], { q: text }));
  return (
    <div class="view">
      <header class="title-row">
        <h1 class="title">Alerts</h1>
        <label class="search">
          <span class="hidden">Filter alerts</span>
          <input
            type="search"
            data-search
            placeholder="Filter: service=auth critical"
            value={search}
            onInput={(event: any) => set(event.target.value)}
          />
        </label>
        {may(live, 'silence') ? (
          <button type="button" onClick={() => askForSilence(view, {})}>
            New silence
          </button>
        ) : null}
      </header>
      <Card
        id="alerts"
        title={live.alerts === undefined ? 'Alerts' : `${shown.length} ${shown.length === 1 ? 'alert' : 'alerts'}`}
        wide
      >
        {live.alerts === undefined ? (
          <Loading lines={6} />
        ) : rows.length === 0 ? (
          <Empty title="Nothing is pending or firing.">
            <p class="quiet">
              {rulesInState(live.groups ?? [], (rule) => rule.type === 'alerting').length} rules are evaluated;{' '}
              <a href={link(['rules'])}>see them</a>.
            </p>
          </Empty>
        ) : shown.length === 0 ? (
          <Empty title="No alert meets this filter.">
            <button type="button" onClick={() => set('')}>
              Show all
            </button>
          </Empty>
        ) : (
          <VirtualList
            rows={shown}
            height={62}
            label="Alerts"
            render={(row: AlertRow) => (
              <div class="alert-row">
                <Badge tone={tones[row.state]} text={row.state} />
                <a class="grow" href={link(['alerts', alertID(row)])}>
                  <b>{row.labels['alertname'] ?? 'alert without a name'}</b>
                  <span class="clip">{row.annotations['summary'] ?? row.annotations['description'] ?? ''}</span>
                  <Labels
                    labels={row.labels}
                    only={Object.keys(row.labels)
                      .filter((name) => name !== 'alertname')
                      .sort()}
                  />
                </a>
                <Time at={row.since} now={now} />
                {may(live, 'silence') && row.silencedBy.length === 0 ? (
                  <button
                    type="button"
                    class="small"
                    aria-label={`Silence ${row.labels['alertname']}`}
                    onClick={() => askForSilence(view, row.labels)}
                  >
                    Silence
                  </button>
                ) : null}
              </div>
            )}
          />
        )}
      </Card>
      <Card id="silences" title="Silences" wide>
        <Silences view={view} />
      </Card>
    </div>
  );
}
