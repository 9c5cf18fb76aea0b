import { h } from 'preact';

import { deleteApiV2SilenceId, getApiV2Alerts, postApiV2Silences } from '../api/operations';
import type { LabelSet, Silence } from '../api/types';
import { matcherText, parseMatchers } from '../model/labels';
import { matchersFor } from '../model/lists';
import { formatDuration, parseDuration } from '../model/time';
import { may } from '../state/live';
import { Asked } from './asked';
import type { View } from './context';
import { Badge, Empty, Input, Loading, Modal, Time } from './parts';

export function Silences({ view }: { view: View }) {
  const { live, now } = view.page;
  const silences = live.silences;
  if (silences === undefined) return <Loading />;
  const current = silences.filter((one) => one.status.state !== 'expired');
  const expired = silences.filter((one) => one.status.state === 'expired');
  return (
    <div>
      {current.length === 0 ? (
        <Empty title="No silence is in force.">
          {may(live, 'silence') ? null : <p class="quiet">You may not silence alerts here.</p>}
        </Empty>
      ) : null}
      <ul class="silences">
        {[...current, ...expired.slice(0, 10)].map((silence) => (
          <li key={silence.id} class={silence.status.state}>
            <Badge tone={silence.status.state === 'active' ? 'warn' : 'plain'} text={silence.status.state} />
            <span class="grow">
              <code class="wrap">{silence.matchers.map(matcherText).join(', ')}</code>
              <span class="quiet">
                {silence.comment} · by {silence.createdBy}
              </span>
            </span>
            <span class="quiet">
              {silence.status.state === 'expired' ? 'ended ' : 'ends '}
              <Time at={silence.endsAt} now={now} />
            </span>
            {silence.status.state !== 'expired' && may(live, 'silence') ? (
              <button type="button" class="small" onClick={() => askToExpire(view, silence)}>
                Expire
              </button>
            ) : null}
          </li>
        ))}
      </ul>
    </div>
  );
}

function askToExpire({ store }: View, silence: Silence): void {
  const close = () => store.change({ dialog: null });
  store.change({
    dialog: {
      render: () => (
        <Modal
          title="Expire this silence"
          confirm="Expire"
          close={close}
          submit={async () => {
            await store.client.send(deleteApiV2SilenceId, { id: silence.id });
            store.say('The silence has ended.');
            store.load('silences');
          }}
        >
          <p>
            People are notified again of alerts with <code>{silence.matchers.map(matcherText).join(', ')}</code>.
          </p>
        </Modal>
      ),
    },
  });
}

/** A form for a silence, with what it hits as the server sees it. */
export function askForSilence(view: View, labels: LabelSet): void {
  const { store } = view;
  const close = () => store.change({ dialog: null });
  let text = matchersFor(labels).map(matcherText).join(', ');
  const render = () => (
    <Modal
      title="Silence alerts"
      confirm="Create the silence"
      close={close}
      submit={async (form) => {
        const matchers = parseMatchers(String(form.get('matchers')));
        if (matchers.length === 0) throw new Error('A silence needs a matcher, such as alertname="Down".');
        const seconds = parseDuration(String(form.get('duration')));
        if (!seconds) throw new Error('The duration is written as 30m, 2h or 1d.');
        const start = Date.now();
        await store.client.send(postApiV2Silences, {
          body: {
            matchers,
            startsAt: new Date(start).toISOString(),
            endsAt: new Date(start + seconds * 1000).toISOString(),
            createdBy: String(form.get('by')),
            comment: String(form.get('comment')),
          },
        });
        store.say(`Silenced for ${formatDuration(seconds)}.`);
        store.load('silences');
      }}
    >
      <label>
        Alerts with{' '}
        <textarea
          name="matchers"
          rows={3}
          spellCheck={false}
          value={text}
          onInput={(event: any) => {
            text = event.target.value;
            store.change({ dialog: { render } });
          }}
        />
      </label>
      <Hits view={view} text={text} />
      <div class="fields">
        <label>
          For <Input name="duration" initial="2h" list="durations" autocomplete="off" />
        </label>
        <datalist id="durations">
          {['30m', '1h', '2h', '8h', '1d', '1w'].map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
        <label>
          By <Input name="by" initial={store.page.live.identity?.name ?? ''} required autocomplete="name" />
        </label>
      </div>
      <label>
        Because <input name="comment" required maxLength={500} autocomplete="off" />
      </label>
    </Modal>
  );
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
  return (
    <Asked
      id={filters.join(',')}
      ask={(signal: AbortSignal) => view.store.client.send(getApiV2Alerts, { filter: filters }, signal)}
      show={({ data, fault }) =>
        fault ? (
          <p class="notice warn">{fault}</p>
        ) : (
          <p class="hits" aria-live="polite">
            {data === undefined
              ? 'Looking for alerts …'
              : data.length === 0
                ? 'It hits no alert that fires now, and those to come.'
                : `It hits ${data.length} ${data.length === 1 ? 'alert' : 'alerts'} now: ${data
                    .slice(0, 5)
                    .map((one) => one.labels['alertname'])
                    .join(', ')}${data.length > 5 ? ' …' : ''}`}
          </p>
        )
      }
    />
  );
}
