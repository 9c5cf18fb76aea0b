import { h } from 'preact';

import { getApiV1HistoryProofEntry } from '../api/operations';
import { words } from '../model/now';
import { parseKey, type Verified, verifyEntry } from '../model/proof';
import { absolute } from '../model/time';
import { link } from '../router';
import { Asked } from './asked';
import type { View } from './context';
import { save } from './evidence';
import { Badge, Card, Copy, Empty, Fault, Labels, Loading } from './parts';
import { trustedKey } from './trust';

/** One entry, with its proof verified here. */
export function EntryView(view: View & { entry: number }) {
  const { store, page, entry } = view;
  const status = page.live.history;
  return (
    <div class="view">
      <header class="title-row">
        <h1 class="title">Entry {entry}</h1>
        <a href={link(['evidence', String(Math.max(1, entry - 1))])}>‹ {Math.max(1, entry - 1)}</a>{' '}
        <a href={link(['evidence', String(entry + 1)])}>{entry + 1} ›</a>
      </header>
      {status === undefined ? (
        <Loading lines={6} />
      ) : status === null ? (
        <Empty title="This server keeps no history." />
      ) : (
        <Asked
          id={String(entry)}
          ask={(signal: AbortSignal) =>
            store.client.send(getApiV1HistoryProofEntry, { entry }, signal).then(async (answer) => ({
              answer,
              ...(await outcome(entry, answer.leaf, answer.proof, trustedKey(status).text)),
            }))
          }
          show={({ data, fault, ask }) =>
            fault ? (
              <Fault text={fault} retry={ask} />
            ) : !data ? (
              <Loading lines={6} />
            ) : (
              <div>
                <Card
                  id="proof"
                  title="Proof, verified in this browser"
                  wide
                  aside={
                    <button
                      type="button"
                      class="small"
                      onClick={() => save(`entry-${entry}.proof.json`, JSON.stringify(data.answer))}
                    >
                      Download the proof
                    </button>
                  }
                >
                  {data.verified ? (
                    <ol class="checks">
                      <li>
                        <Badge tone="good" text="hash" /> SHA-256 of the leaf is{' '}
                        <code class="wrap">{data.verified.leafHash}</code>
                      </li>
                      <li>
                        <Badge tone="good" text="path" /> {data.verified.pathLength} hashes lead from it to the root{' '}
                        <code class="wrap">{data.verified.root}</code> of {data.verified.size} entries
                      </li>
                      <li>
                        <Badge tone="good" text="signature" /> Ed25519 of{' '}
                        <code class="wrap">{trustedKey(status).text}</code>
                      </li>
                    </ol>
                  ) : (
                    <p class="notice bad" role="alert">
                      Not proved: {data.problem}
                    </p>
                  )}
                  <p class="quiet">
                    The file is what <code>tribune audit check</code> takes.
                  </p>
                </Card>
                <Leaf leaf={data.answer.leaf} disclosures={data.answer.disclosures} />
              </div>
            )
          }
        />
      )}
    </div>
  );
}

async function outcome(
  entry: number,
  leaf: string,
  proof: string,
  key: string,
): Promise<{ verified?: Verified; problem?: string }> {
  if (!window.isSecureContext)
    return { problem: 'proofs are verified in the browser only over HTTPS or on localhost.' };
  try {
    return { verified: await verifyEntry(entry, leaf, proof, parseKey(key)) };
  } catch (fault) {
    return { problem: (fault as Error).message };
  }
}

function Leaf({ leaf, disclosures }: { leaf: string; disclosures: unknown[] }) {
  const content = JSON.parse(leaf) as { [member: string]: any };
  const facts: [string, any][] = [
    ['Kind', words(String(content['kind']))],
    ['Subject', content['subject']],
    ['Time', absolute(Number(content['milliseconds']))],
    ['Service', content['service']],
    [
      'Incident',
      content['incident'] ? (
        <a href={link(['evidence'], { incident: content['incident'] })}>{content['incident']}</a>
      ) : undefined,
    ],
    ['Actor', content['actor'] ? <code class="wrap">{JSON.stringify(content['actor'])}</code> : undefined],
  ];
  const labels = content['body']?.['labels'];
  return (
    <Card id="content" title="Content" wide aside={<Copy text={leaf} what="the leaf" />}>
      <dl class="facts">
        {facts
          .filter(([, value]) => value !== undefined)
          .map(([name, value]) => [<dt key={`t${name}`}>{name}</dt>, <dd key={`d${name}`}>{value}</dd>])}
      </dl>
      {labels && typeof labels === 'object' ? <Labels labels={labels} /> : null}
      <pre tabIndex={0}>{JSON.stringify(content['body'], null, 2)}</pre>
      {disclosures.length > 0 ? (
        <details>
          <summary>Texts about people, behind the commitments</summary>
          <pre tabIndex={0}>{JSON.stringify(disclosures, null, 2)}</pre>
        </details>
      ) : null}
    </Card>
  );
}
