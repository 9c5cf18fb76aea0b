import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import test from 'node:test';
import {
  checkConsistency,
  checkSignature,
  equal,
  fromBase64,
  hexadecimal,
  leafHash,
  parseCheckpoint,
  parseKey,
  parseProof,
  rootOfPath,
  verifyEntry,
} from '../src/model/proof';

// Node 18 has it under another name than browsers.
(globalThis as any).crypto ??= webcrypto;

const encode = (text: string) => new TextEncoder().encode(text);
const base64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));
async function digest(...parts: Uint8Array[]): Promise<Uint8Array> {
  const bytes = Uint8Array.from(parts.flatMap((part) => [...part]));
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

// The definitions of RFC 6962, 2.1, as they stand there: slow, and not the algorithms under test.
const split = (size: number) => 2 ** Math.floor(Math.log2(size - 1));
async function tree(leaves: Uint8Array[]): Promise<Uint8Array> {
  if (leaves.length === 1) return leaves[0];
  const k = split(leaves.length);
  return digest(Uint8Array.of(1), await tree(leaves.slice(0, k)), await tree(leaves.slice(k)));
}
async function path(index: number, leaves: Uint8Array[]): Promise<Uint8Array[]> {
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  return index < k
    ? [...(await path(index, leaves.slice(0, k))), await tree(leaves.slice(k))]
    : [...(await path(index - k, leaves.slice(k))), await tree(leaves.slice(0, k))];
}
async function consistency(size: number, leaves: Uint8Array[], isWhole = true): Promise<Uint8Array[]> {
  if (size === leaves.length) return isWhole ? [] : [await tree(leaves)];
  const k = split(leaves.length);
  return size <= k
    ? [...(await consistency(size, leaves.slice(0, k), isWhole)), await tree(leaves.slice(k))]
    : [...(await consistency(size - k, leaves.slice(k), false)), await tree(leaves.slice(0, k))];
}
const leavesOf = (count: number) => Promise.all(new Array(count).fill(0).map((_, index) => leafHash(`leaf ${index}`)));

test('every path of every small tree leads to its root, and no other does', async () => {
  for (let size = 1; size <= 17; size += 1) {
    const leaves = await leavesOf(size);
    const root = await tree(leaves);
    for (let index = 0; index < size; index += 1) {
      const hashes = await path(index, leaves);
      assert.ok(equal(await rootOfPath(leaves[index], index, size, hashes), root), `${index} of ${size}`);
      assert.ok(!equal(await rootOfPath(await leafHash('other'), index, size, hashes), root));
      await assert.rejects(rootOfPath(leaves[index], index, size, [...hashes, root]), /too long/);
      if (hashes.length > 0) await assert.rejects(rootOfPath(leaves[index], index, size, hashes.slice(1)), /too short/);
    }
    await assert.rejects(rootOfPath(leaves[0], size, size, []), /not among/);
  }
});

test('every small tree continues its beginnings, and no changed one does', async () => {
  for (let size = 2; size <= 17; size += 1) {
    const leaves = await leavesOf(size);
    const root = await tree(leaves);
    for (let old = 1; old < size; old += 1) {
      const oldRoot = await tree(leaves.slice(0, old));
      const proof = await consistency(old, leaves);
      await checkConsistency(old, oldRoot, size, root, proof);
      await assert.rejects(checkConsistency(old, await leafHash('forged'), size, root, proof));
      await assert.rejects(checkConsistency(old, oldRoot, size, await leafHash('forged'), proof));
      await assert.rejects(checkConsistency(size, root, old, oldRoot, proof), /shrunk/);
    }
    await assert.rejects(checkConsistency(size, root, size, await leafHash('forged'), []), /two roots/);
  }
});

/** A record of `count` entries with a key of its own. */
async function record(count: number) {
  const pair = (await crypto.subtle.generateKey({ name: 'Ed25519' } as any, true, ['sign', 'verify'])) as any;
  const raw = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
  const typed = Uint8Array.of(1, ...raw);
  const id = (await digest(encode('tribune\n'), typed)).slice(0, 4);
  const leaves = new Array(count).fill(0).map((_, index) => JSON.stringify({ kind: 'alert', sequence: index + 1 }));
  const hashes = await Promise.all(leaves.map(leafHash));
  const text = `tribune\n${count}\n${base64(await tree(hashes))}\n`;
  const signature = new Uint8Array(await crypto.subtle.sign({ name: 'Ed25519' } as any, pair.privateKey, encode(text)));
  const note = `${text}\n\u2014 tribune ${base64(Uint8Array.of(...id, ...signature))}\n`;
  const proof = async (index: number) =>
    `c2sp.org/tlog-proof@v1\nindex ${index}\n${(await path(index, hashes)).map((one) => `${base64(one)}\n`).join('')}\n${note}`;
  return { key: `tribune+${hexadecimal(id)}+${base64(typed)}`, leaves, note, proof };
}

test('an entry is verified with hash, path and signature', async () => {
  const { key, leaves, proof } = await record(11);
  for (const index of [0, 6, 10]) {
    const verified = await verifyEntry(index + 1, leaves[index], await proof(index), parseKey(key));
    assert.deepEqual([verified.entry, verified.size, verified.leaf['sequence']], [index + 1, 11, index + 1]);
  }
});

test('whatever is altered is not proved', async () => {
  const { key, leaves, proof, note } = await record(11);
  const other = await record(11);
  const text = await proof(6);
  await assert.rejects(
    verifyEntry(7, leaves[6].replace('alert', 'order'), text, parseKey(key)),
    /the entry was altered/,
  );
  await assert.rejects(verifyEntry(6, leaves[5], text, parseKey(key)), /about entry 7/);
  await assert.rejects(verifyEntry(7, leaves[5], text, parseKey(key)), /the leaf is entry 6/);
  await assert.rejects(verifyEntry(7, leaves[6], text, parseKey(other.key)), /not signed by/);
  const forged = { ...parseKey(other.key), id: parseKey(key).id };
  await assert.rejects(checkSignature(parseCheckpoint(note), forged), /not valid/);
});

test('what a server sends is read strictly', () => {
  for (const text of ['', 'c2sp.org/tlog-proof@v1\nindex -1\n\n', 'c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\nx'])
    assert.throws(() => parseProof(text));
  for (const note of ['tribune\n1\nAAAA\n', 'tribune\n01\nAAAA\n\n', 'a\nb\n\n\u2014 x AA==\n'])
    assert.throws(() => parseCheckpoint(note));
  for (const key of ['', 'tribune+zz+AQ==', 'tribune+6bdd4505+Ag==']) assert.throws(() => parseKey(key));
  assert.throws(() => fromBase64('a b='), /not base64/);
});
