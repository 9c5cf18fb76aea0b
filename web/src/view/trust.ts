import { getApiV1HistoryCheckpoint, getApiV1HistoryConsistency } from '../api/operations';
import type { HistoryStatus } from '../api/types';
import { checkConsistency, checkSignature, fromBase64, hexadecimal, parseCheckpoint, parseKey } from '../model/proof';
import type { Store } from '../state/store';

const keyName = 'tribune.key';
const seenName = 'tribune.checkpoint';

/** The key that this browser trusts: the one that was seen first, or the one that was given. */
export function trustedKey(status: HistoryStatus): { text: string; isNew: boolean; differs: boolean } {
  const kept = localStorage.getItem(keyName);
  return { text: kept ?? status.publicKey, isNew: kept === null, differs: kept !== null && kept !== status.publicKey };
}

interface Continuity {
  size: number;
  root: string;
  before: number | null;
}

/** Checks that the record continues the one that this browser saw last, and remembers the new one. Throws if it does not. */
export async function checkContinuity(store: Store, key: string): Promise<Continuity> {
  const note = await store.client.send(getApiV1HistoryCheckpoint, {});
  const checkpoint = parseCheckpoint(note);
  await checkSignature(checkpoint, parseKey(key));
  const kept = localStorage.getItem(seenName);
  const former = kept === null ? null : parseCheckpoint(kept);
  // Another server, or another record, at the same address.
  const before = former && former.origin === checkpoint.origin ? former : null;
  if (before) {
    const proof =
      before.size > 0 && before.size < checkpoint.size
        ? (await store.client.send(getApiV1HistoryConsistency, { from: before.size, to: checkpoint.size })).hashes
        : [];
    await checkConsistency(before.size, before.root, checkpoint.size, checkpoint.root, proof.map(fromBase64));
  }
  localStorage.setItem(keyName, key);
  localStorage.setItem(seenName, note);
  return { size: checkpoint.size, root: hexadecimal(checkpoint.root), before: before?.size ?? null };
}

export function forget(store: Store): void {
  localStorage.removeItem(keyName);
  localStorage.removeItem(seenName);
  store.change({});
}
