import { Component, h } from 'preact';
import { getApiV1HistoryEvents } from '../api/operations';
import type { LedgerEvent } from '../api/types';
import { gist, instant, kinds, readSearch, type Search, subject, wantedKinds } from '../model/evidence';
import { words } from '../model/now';
import { link } from '../router';
import { Asked } from './asked';
import type { View } from './context';
import { HeatMap } from './heat';
import { EvidencePack } from './pack';
import { Badge, Card, Copy, Empty, Fault, Loading, Time } from './parts';
import { checkContinuity, forget, trustedKey } from './trust';

/** The record: search, and whether it is intact. */
export function EvidenceView(view: View) {
  const { store, page } = view;
  const search = readSearch(page.place.parameters);
  const set = (part: Partial<Search>) => {
    const next: { [name: string]: string } = { ...search, ...part };
    store.replace(link(['evidence'], next));
  };
  return (
    <div class="view">
      <h1 class="title">Evidence</h1>
      <Card id="intact" title="Is the record intact?" wide>
        <Integrity view={view} />
      </Card>
      <Card id="days" title="Services by day" wide>
        <HeatMap view={view} />
      </Card>
      <Card id="search" title="Search the record" wide>
        <form class="fields" role="search" onSubmit={(event: Event) => event.preventDefault()}>
          <label>
            Text{' '}
            <input
              type="search"
              data-search
              value={search.text}
              onChange={(event: any) => set({ text: event.target.value })}
              placeholder="rule, person, plan …"
            />
          </label>
          <label>
            Kind{' '}
            <select value={search.kind} onChange={(event: any) => set({ kind: event.target.value })}>
              <option value="">all but measurements</option>
              <option value="all">all</option>
              {kinds.map((kind) => (
                <option key={kind} value={kind}>
                  {words(kind)}
                </option>
              ))}
            </select>
          </label>
          <label>
            Service <input value={search.service} onChange={(event: any) => set({ service: event.target.value })} />
          </label>
          <label>
            Incident <input value={search.incident} onChange={(event: any) => set({ incident: event.target.value })} />
          </label>
          <label>
            From{' '}
            <input
              type="datetime-local"
              value={search.from}
              onChange={(event: any) => set({ from: event.target.value })}
            />
          </label>
          <label>
            To{' '}
            <input type="datetime-local" value={search.to} onChange={(event: any) => set({ to: event.target.value })} />
          </label>
        </form>
        <Results view={view} search={search} />
      </Card>
      <Card id="pack" title="Evidence pack for an auditor" wide>
        <EvidencePack view={view} search={search} />
      </Card>
    </div>
  );
}

class Results extends Component<{ view: View; search: Search }, { more: LedgerEvent[]; next?: string; of: string }> {
  state = { more: [] as LedgerEvent[], next: undefined as string | undefined, of: '' };

  private ask(cursor?: string, signal?: AbortSignal) {
    const { search, view } = this.props;
    return view.store.client.send(
      getApiV1HistoryEvents,
      {
        kind: wantedKinds(search),
        service: search.service,
        incident: search.incident,
        text: search.text,
        start: instant(search.from),
        end: instant(search.to),
        limit: 50,
        cursor,
      },
      signal,
    );
  }

  render() {
    const { view, search } = this.props;
    const id = JSON.stringify(search);
    const isSame = this.state.of === id;
    return (
      <Asked
        id={id}
        every={15}
        ask={(signal: AbortSignal) => this.ask(undefined, signal)}
        show={({ data, fault, ask }) => {
          if (fault && !data) return <Fault text={fault} retry={ask} />;
          if (!data) return <Loading lines={8} />;
          const known = new Set(data.events.map((event) => event.index));
          const events = [
            ...data.events,
            ...(isSame ? this.state.more : []).filter((event) => event.index === undefined || !known.has(event.index)),
          ];
          const next = isSame ? this.state.next : data.next;
          if (events.length === 0)
            return (
              <Empty title="No entry meets this search.">
                <p class="quiet">Take a condition away, or a longer time.</p>
              </Empty>
            );
          return (
            <div>
              {data.source === 'spool' ? (
                <p class="notice warn">The history database cannot be read now. These events are in the spool.</p>
              ) : null}
              <ul class="entries">
                {events.map((event) => (
                  <li key={String(event.index ?? `${event.time} ${event.subject}`)}>
                    <a href={event.index ? link(['evidence', String(event.index)]) : link(['evidence'])}>
                      <span class="number quiet">{event.index ?? '…'}</span>
                      <Time at={event.time} now={view.page.now} />
                      <Badge
                        tone={
                          event.kind === 'violation' || event.kind === 'damage'
                            ? 'bad'
                            : event.kind === 'rollback_step'
                              ? 'warn'
                              : 'plain'
                        }
                        text={words(event.kind)}
                      />
                      <b class="clip">{subject(event)}</b>
                      <span class="clip quiet">{gist(event)}</span>
                    </a>
                  </li>
                ))}
              </ul>
              <p class="row">
                <span class="quiet">{events.length} entries</span>
                {next ? (
                  <button
                    type="button"
                    onClick={() =>
                      void this.ask(next).then((page) =>
                        this.setState({
                          of: id,
                          more: [...(isSame ? this.state.more : []), ...page.events],
                          next: page.next,
                        }),
                      )
                    }
                  >
                    Older entries
                  </button>
                ) : null}
                <button type="button" onClick={() => save('tribune-entries.json', JSON.stringify(events, null, 2))}>
                  Download these entries
                </button>
              </p>
            </div>
          );
        }}
      />
    );
  }
}

export function save(name: string, text: string): void {
  saveBlob(name, new Blob([text], { type: 'application/json' }));
}

export function saveBlob(name: string, content: Blob): void {
  const address = URL.createObjectURL(content);
  const anchor = document.createElement('a');
  anchor.href = address;
  anchor.download = name;
  anchor.click();
  window.setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function Integrity({ view }: { view: View }) {
  const { store, page } = view;
  const status = page.live.history;
  if (status === undefined) return <Loading lines={3} />;
  if (status === null)
    return (
      <Empty title="This server keeps no history, or you may not read it.">
        <p class="quiet">
          See <code>history:</code> in the reference of the configuration.
        </p>
      </Empty>
    );
  const check = status.verification;
  const key = trustedKey(status);
  return (
    <div class="integrity">
      {status.halted ? <p class="notice bad">{status.halted}</p> : null}
      <p>
        {check.finishedAt === null ? (
          <Badge tone="plain" text="not verified since the start" />
        ) : check.problems > 0 ? (
          <Badge
            tone="bad"
            text={`${check.problems} problems from entry ${check.firstBadEntry ?? '?'}: ${check.message ?? ''}`}
          />
        ) : (
          <Badge tone="good" text={`the server verified ${check.entries} entries`} />
        )}{' '}
        {check.finishedAt ? <Time at={check.finishedAt} now={page.now} /> : null}
      </p>
      {window.isSecureContext ? (
        <Asked
          id={`${key.text}`}
          every={30}
          ask={() => checkContinuity(store, key.text)}
          show={({ data, fault, ask }) =>
            fault ? (
              <div>
                <Fault text={`This browser does not accept the record: ${fault}`} retry={ask} />
                <p class="row">
                  <button type="button" onClick={() => forget(store)}>
                    Forget what this browser knew
                  </button>{' '}
                  <span class="quiet">Only after you know why, such as a new installation.</span>
                </p>
              </div>
            ) : !data ? (
              <Loading lines={1} />
            ) : (
              <p>
                <Badge
                  tone="good"
                  text={
                    data.before === null
                      ? `this browser verified the checkpoint of ${data.size} entries`
                      : `this browser verified that ${data.size} entries continue the ${data.before} it knew`
                  }
                />
              </p>
            )
          }
        />
      ) : (
        <p class="notice warn">Proofs are verified in the browser only over HTTPS or on localhost.</p>
      )}
      {key.differs ? (
        <p class="notice bad">The server signs with another key than the one that this browser knows.</p>
      ) : null}
      <dl class="facts">
        <dt>Entries</dt>
        <dd>
          {status.entries}, of which {status.signedEntries} are signed
          {status.spooled > 0 ? `, ${status.spooled} wait in the spool` : ''}
        </dd>
        <dt>Database</dt>
        <dd>
          {status.database}
          {status.connected ? '' : ', not reachable'}
        </dd>
        <dt>Public key</dt>
        <dd>
          <code class="wrap">{key.text}</code> <Copy text={key.text} what="the public key" />{' '}
          <small class="quiet">
            {key.isNew
              ? 'seen now for the first time: compare it with the one you keep'
              : 'the key that this browser knows'}
          </small>
        </dd>
      </dl>
    </div>
  );
}
