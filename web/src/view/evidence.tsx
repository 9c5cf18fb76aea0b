import { Component, h } from 'preact';
import { getApiV1HistoryCheckpoint, getApiV1HistoryConsistency, getApiV1HistoryEvents, getApiV1HistoryProofEntry } from '../api/operations';
import { HistoryStatus, LedgerEvent } from '../api/types';
import { gist, instant, kinds, readSearch, Search, subject, wantedKinds } from '../model/evidence';
import { words } from '../model/now';
import { checkConsistency, checkSignature, fromBase64, hexadecimal, parseCheckpoint, parseKey, Verified, verifyEntry } from '../model/proof';
import { absolute } from '../model/time';
import { link } from '../router';
import { Store } from '../state/store';
import { Asked } from './asked';
import { View } from './context';
import { Badge, Card, Copy, Empty, Fault, Labels, Loading, Time } from './parts';

const keyName = 'tribune.key';
const seenName = 'tribune.checkpoint';

/** The record: search, and whether it is intact. */
export function EvidenceView(view: View) {
  const { store, page } = view;
  const search = readSearch(page.place.parameters);
  const set = (part: Partial<Search>) => {
    const next: { [name: string]: string } = { ...search, ...part };
    store.replace(link(['evidence'], next));
  };
  return <div class="view">
    <h1 class="title">Evidence</h1>
    <Card id="intact" title="Is the record intact?" wide><Integrity view={view} /></Card>
    <Card id="search" title="Search the record" wide>
      <form class="fields" role="search" onSubmit={(event: Event) => event.preventDefault()}>
        <label>Text <input type="search" data-search value={search.text} onChange={(event: any) => set({ text: event.target.value })} placeholder="rule, person, plan …" /></label>
        <label>Kind <select value={search.kind} onChange={(event: any) => set({ kind: event.target.value })}>
          <option value="">all but measurements</option><option value="all">all</option>
          {kinds.map((kind) => <option key={kind} value={kind}>{words(kind)}</option>)}</select></label>
        <label>Service <input value={search.service} onChange={(event: any) => set({ service: event.target.value })} /></label>
        <label>Incident <input value={search.incident} onChange={(event: any) => set({ incident: event.target.value })} /></label>
        <label>From <input type="datetime-local" value={search.from} onChange={(event: any) => set({ from: event.target.value })} /></label>
        <label>To <input type="datetime-local" value={search.to} onChange={(event: any) => set({ to: event.target.value })} /></label>
      </form>
      <Results view={view} search={search} />
    </Card>
  </div>;
}

class Results extends Component<{ view: View; search: Search }, { more: LedgerEvent[]; next?: string; of: string }> {
  state = { more: [] as LedgerEvent[], next: undefined as string | undefined, of: '' };

  private ask(cursor?: string, signal?: AbortSignal) {
    const { search, view } = this.props;
    return view.store.client.send(getApiV1HistoryEvents, {
      kind: wantedKinds(search), service: search.service, incident: search.incident, text: search.text, start: instant(search.from), end: instant(search.to),
      limit: 50, cursor,
    }, signal);
  }

  render() {
    const { view, search } = this.props;
    const id = JSON.stringify(search);
    const isSame = this.state.of === id;
    return <Asked id={id} every={15} ask={(signal: AbortSignal) => this.ask(undefined, signal)} show={({ data, fault, ask }) => {
      if (fault && !data) return <Fault text={fault} retry={ask} />;
      if (!data) return <Loading lines={8} />;
      const known = new Set(data.events.map((event) => event.index));
      const events = [...data.events, ...(isSame ? this.state.more : []).filter((event) => event.index === undefined || !known.has(event.index))];
      const next = isSame ? this.state.next : data.next;
      if (events.length === 0) return <Empty title="No entry meets this search."><p class="quiet">Take a condition away, or a longer time.</p></Empty>;
      return <div>
        {data.source === 'spool' ? <p class="notice warn">The history database cannot be read now. These events are in the spool.</p> : null}
        <ul class="entries">{events.map((event) => <li key={String(event.index ?? `${event.time} ${event.subject}`)}>
          <a href={event.index ? link(['evidence', String(event.index)]) : link(['evidence'])}>
            <span class="number quiet">{event.index ?? '…'}</span><Time at={event.time} now={view.page.now} />
            <Badge tone={event.kind === 'violation' || event.kind === 'damage' ? 'bad' : event.kind === 'rollback_step' ? 'warn' : 'plain'} text={words(event.kind)} />
            <b class="clip">{subject(event)}</b><span class="clip quiet">{gist(event)}</span></a></li>)}</ul>
        <p class="row"><span class="quiet">{events.length} entries</span>
          {next ? <button type="button" onClick={() => void this.ask(next).then((page) => this.setState({ of: id, more: [...(isSame ? this.state.more : []), ...page.events], next: page.next }))}>Older entries</button> : null}
          <button type="button" onClick={() => save('tribune-entries.json', JSON.stringify(events, null, 2))}>Download these entries</button></p>
      </div>;
    }} />;
  }
}

function save(name: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  const anchor = document.createElement('a');
  anchor.href = address;
  anchor.download = name;
  anchor.click();
  window.setTimeout(() => URL.revokeObjectURL(address), 1000);
}

/** The key that this browser trusts: the one that was seen first, or the one that was given. */
function trustedKey(status: HistoryStatus): { text: string; isNew: boolean; differs: boolean } {
  const kept = localStorage.getItem(keyName);
  return { text: kept ?? status.publicKey, isNew: kept === null, differs: kept !== null && kept !== status.publicKey };
}

interface Continuity { size: number; root: string; before: number | null }

/** Checks that the record continues the one that this browser saw last, and remembers the new one. Throws if it does not. */
async function checkContinuity(store: Store, key: string): Promise<Continuity> {
  const note = await store.client.send(getApiV1HistoryCheckpoint, {});
  const checkpoint = parseCheckpoint(note);
  await checkSignature(checkpoint, parseKey(key));
  const kept = localStorage.getItem(seenName);
  const former = kept === null ? null : parseCheckpoint(kept);
  // Another server, or another record, at the same address.
  const before = former && former.origin === checkpoint.origin ? former : null;
  if (before) {
    const proof = before.size > 0 && before.size < checkpoint.size
      ? (await store.client.send(getApiV1HistoryConsistency, { from: before.size, to: checkpoint.size })).hashes : [];
    await checkConsistency(before.size, before.root, checkpoint.size, checkpoint.root, proof.map(fromBase64));
  }
  localStorage.setItem(keyName, key);
  localStorage.setItem(seenName, note);
  return { size: checkpoint.size, root: hexadecimal(checkpoint.root), before: before?.size ?? null };
}

function forget(store: Store): void {
  localStorage.removeItem(keyName);
  localStorage.removeItem(seenName);
  store.change({});
}

function Integrity({ view }: { view: View }) {
  const { store, page } = view;
  const status = page.live.history;
  if (status === undefined) return <Loading lines={3} />;
  if (status === null) return <Empty title="This server keeps no history, or you may not read it."><p class="quiet">See <code>history:</code> in the reference of the configuration.</p></Empty>;
  const check = status.verification;
  const key = trustedKey(status);
  return <div class="integrity">
    {status.halted ? <p class="notice bad">{status.halted}</p> : null}
    <p>{check.finishedAt === null ? <Badge tone="plain" text="not verified since the start" /> : check.problems > 0
      ? <Badge tone="bad" text={`${check.problems} problems from entry ${check.firstBadEntry ?? '?'}: ${check.message ?? ''}`} />
      : <Badge tone="good" text={`the server verified ${check.entries} entries`} />} {check.finishedAt ? <Time at={check.finishedAt} now={page.now} /> : null}</p>
    {window.isSecureContext ? <Asked id={`${key.text}`} every={30} ask={() => checkContinuity(store, key.text)} show={({ data, fault, ask }) => (fault
      ? <div><Fault text={`This browser does not accept the record: ${fault}`} retry={ask} />
        <p class="row"><button type="button" onClick={() => forget(store)}>Forget what this browser knew</button> <span class="quiet">Only after you know why, such as a new installation.</span></p></div>
      : !data ? <Loading lines={1} /> : <p><Badge tone="good" text={data.before === null ? `this browser verified the checkpoint of ${data.size} entries`
        : `this browser verified that ${data.size} entries continue the ${data.before} it knew`} /></p>)} />
      : <p class="notice warn">Proofs are verified in the browser only over HTTPS or on localhost.</p>}
    {key.differs ? <p class="notice bad">The server signs with another key than the one that this browser knows.</p> : null}
    <dl class="facts"><dt>Entries</dt><dd>{status.entries}, of which {status.signedEntries} are signed{status.spooled > 0 ? `, ${status.spooled} wait in the spool` : ''}</dd>
      <dt>Database</dt><dd>{status.database}{status.connected ? '' : ', not reachable'}</dd>
      <dt>Public key</dt><dd><code class="wrap">{key.text}</code> <Copy text={key.text} what="the public key" /> <small class="quiet">{key.isNew ? 'seen now for the first time: compare it with the one you keep' : 'the key that this browser knows'}</small></dd></dl>
  </div>;
}

/** One entry, with its proof verified here. */
export function EntryView(view: View & { entry: number }) {
  const { store, page, entry } = view;
  const status = page.live.history;
  return <div class="view">
    <header class="title-row"><h1 class="title">Entry {entry}</h1>
      <a href={link(['evidence', String(Math.max(1, entry - 1))])}>‹ {Math.max(1, entry - 1)}</a> <a href={link(['evidence', String(entry + 1)])}>{entry + 1} ›</a></header>
    {status === undefined ? <Loading lines={6} /> : status === null ? <Empty title="This server keeps no history." />
      : <Asked id={String(entry)} ask={(signal: AbortSignal) => store.client.send(getApiV1HistoryProofEntry, { entry }, signal)
        .then(async (answer) => ({ answer, ...(await outcome(entry, answer.leaf, answer.proof, trustedKey(status).text)) }))}
      show={({ data, fault, ask }) => (fault ? <Fault text={fault} retry={ask} /> : !data ? <Loading lines={6} /> : <div>
        <Card id="proof" title="Proof, verified in this browser" wide aside={<button type="button" class="small" onClick={() =>
          save(`entry-${entry}.proof.json`, JSON.stringify(data.answer))}>Download the proof</button>}>
          {data.verified ? <ol class="checks">
            <li><Badge tone="good" text="hash" /> SHA-256 of the leaf is <code class="wrap">{data.verified.leafHash}</code></li>
            <li><Badge tone="good" text="path" /> {data.verified.pathLength} hashes lead from it to the root <code class="wrap">{data.verified.root}</code> of {data.verified.size} entries</li>
            <li><Badge tone="good" text="signature" /> Ed25519 of <code class="wrap">{trustedKey(status).text}</code></li>
          </ol> : <p class="notice bad" role="alert">Not proved: {data.problem}</p>}
          <p class="quiet">The file is what <code>tribune audit check</code> takes.</p>
        </Card>
        <Leaf leaf={data.answer.leaf} disclosures={data.answer.disclosures} />
      </div>)} />}
  </div>;
}

async function outcome(entry: number, leaf: string, proof: string, key: string): Promise<{ verified?: Verified; problem?: string }> {
  if (!window.isSecureContext) return { problem: 'proofs are verified in the browser only over HTTPS or on localhost.' };
  try {
    return { verified: await verifyEntry(entry, leaf, proof, parseKey(key)) };
  } catch (fault) {
    return { problem: (fault as Error).message };
  }
}

function Leaf({ leaf, disclosures }: { leaf: string; disclosures: unknown[] }) {
  const content = JSON.parse(leaf) as { [member: string]: any };
  const facts: [string, any][] = [
    ['Kind', words(String(content['kind']))], ['Subject', content['subject']],
    ['Time', absolute(Number(content['milliseconds']))], ['Service', content['service']],
    ['Incident', content['incident'] ? <a href={link(['evidence'], { incident: content['incident'] })}>{content['incident']}</a> : undefined],
    ['Actor', content['actor'] ? <code class="wrap">{JSON.stringify(content['actor'])}</code> : undefined],
  ];
  const labels = content['body']?.['labels'];
  return <Card id="content" title="Content" wide aside={<Copy text={leaf} what="the leaf" />}>
    <dl class="facts">{facts.filter(([, value]) => value !== undefined).map(([name, value]) => [<dt key={`t${name}`}>{name}</dt>, <dd key={`d${name}`}>{value}</dd>])}</dl>
    {labels && typeof labels === 'object' ? <Labels labels={labels} /> : null}
    <pre tabIndex={0}>{JSON.stringify(content['body'], null, 2)}</pre>
    {disclosures.length > 0 ? <details><summary>Texts about people, behind the commitments</summary><pre tabIndex={0}>{JSON.stringify(disclosures, null, 2)}</pre></details> : null}
  </Card>;
}
