// The record's proof, verified here and not by the server: RFC 6962 and C2SP's tlog-proof, tlog-checkpoint and signed note.

export interface Checkpoint {
  origin: string;
  size: number;
  root: Uint8Array;
  text: string;
  signatures: Signature[];
}
export interface Signature {
  name: string;
  id: number;
  bytes: Uint8Array;
}
export interface VerifierKey {
  name: string;
  id: number;
  key: Uint8Array;
}
export interface InclusionProof {
  index: number;
  path: Uint8Array[];
  checkpoint: Checkpoint;
}

/** Why something is not proved. */
export class ProofFailure extends Error {}

export function fromBase64(text: string): Uint8Array {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0)
    throw new ProofFailure(`"${text.slice(0, 20)}" is not base64`);
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

export function hexadecimal(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function number(text: string, what: string): number {
  if (!/^(0|[1-9]\d{0,15})$/.test(text)) throw new ProofFailure(`${what} is not a number`);
  return Number(text);
}

export function parseCheckpoint(note: string): Checkpoint {
  const cut = note.indexOf('\n\n');
  if (cut < 0) throw new ProofFailure('the checkpoint has no signature');
  const text = note.slice(0, cut + 1);
  const lines = text.split('\n');
  if (lines.length < 4) throw new ProofFailure('the checkpoint is incomplete');
  const root = fromBase64(lines[2]);
  if (root.length !== 32) throw new ProofFailure('the root of the checkpoint is not a SHA-256 hash');
  const signatures = note
    .slice(cut + 2)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const match = /^\u2014 (\S+) (\S+)$/.exec(line);
      if (!match) throw new ProofFailure('a signature line is malformed');
      const bytes = fromBase64(match[2]);
      if (bytes.length < 5) throw new ProofFailure('a signature is too short');
      return { name: match[1], id: new DataView(bytes.buffer).getUint32(0), bytes: bytes.slice(4) };
    });
  return { origin: lines[0], size: number(lines[1], 'the size of the checkpoint'), root, text, signatures };
}

/** A key as `name+id+key`; only Ed25519 keys are known. */
export function parseKey(text: string): VerifierKey {
  const [name, id, ...rest] = text.trim().split('+');
  const bytes = fromBase64(rest.join('+'));
  if (!/^[0-9a-f]{8}$/.test(id ?? '') || bytes.length !== 33 || bytes[0] !== 1) {
    throw new ProofFailure('the public key is not an Ed25519 key as name+id+key');
  }
  return { name, id: parseInt(id, 16), key: bytes.slice(1) };
}

export function parseProof(text: string): InclusionProof {
  const cut = text.indexOf('\n\n');
  const lines = text.slice(0, cut).split('\n');
  if (cut < 0 || lines[0] !== 'c2sp.org/tlog-proof@v1')
    throw new ProofFailure('this is not a proof of the kind c2sp.org/tlog-proof@v1');
  const index = /^index (\d+)$/.exec(lines[1] ?? '');
  if (!index) throw new ProofFailure('the proof has no index');
  const path = lines.slice(2).map(fromBase64);
  if (path.some((hash) => hash.length !== 32)) throw new ProofFailure('a hash of the proof is not a SHA-256 hash');
  return { index: number(index[1], 'the index'), path, checkpoint: parseCheckpoint(text.slice(cut + 2)) };
}

async function hash(prefix: number, ...parts: Uint8Array[]): Promise<Uint8Array> {
  const length = parts.reduce((sum, part) => sum + part.length, 1);
  const bytes = new Uint8Array(length);
  bytes[0] = prefix;
  let at = 1;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

export function leafHash(leaf: string): Promise<Uint8Array> {
  return hash(0, new TextEncoder().encode(leaf));
}

const half = (value: number) => Math.floor(value / 2);
const isOdd = (value: number) => value % 2 === 1;

/** The root that a leaf and its path lead to (RFC 9162, 2.1.3.2). Numbers are halved, not shifted: they may exceed 32 bits. */
export async function rootOfPath(
  leaf: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
): Promise<Uint8Array> {
  if (index >= size) throw new ProofFailure(`entry ${index + 1} is not among the ${size} of the checkpoint`);
  let [node, last, result] = [index, size - 1, leaf];
  for (const sibling of path) {
    if (last === 0) throw new ProofFailure('the path is too long');
    if (isOdd(node) || node === last) {
      result = await hash(1, sibling, result);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      result = await hash(1, result, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  if (last !== 0) throw new ProofFailure('the path is too short');
  return result;
}

/** Checks that a tree of `size` continues one of `oldSize` (RFC 9162, 2.1.4.2). Throws if it does not. */
export async function checkConsistency(
  oldSize: number,
  oldRoot: Uint8Array,
  size: number,
  root: Uint8Array,
  proof: readonly Uint8Array[],
): Promise<void> {
  if (oldSize > size) throw new ProofFailure(`the record has shrunk: ${size} entries, and ${oldSize} were seen before`);
  if (oldSize === size || oldSize === 0) {
    if (oldSize === size && !equal(oldRoot, root))
      throw new ProofFailure('two roots exist for the same number of entries');
    return;
  }
  let path = [...proof];
  let [node, last] = [oldSize - 1, size - 1];
  while (isOdd(node)) [node, last] = [half(node), half(last)];
  if (node === 0) path = [oldRoot, ...path];
  const first = path.shift();
  if (!first) throw new ProofFailure('the consistency proof is empty');
  let [oldResult, result] = [first, first];
  for (const sibling of path) {
    if (last === 0) throw new ProofFailure('the consistency proof is too long');
    if (isOdd(node) || node === last) {
      oldResult = await hash(1, sibling, oldResult);
      result = await hash(1, sibling, result);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      result = await hash(1, result, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  if (last !== 0 || !equal(oldResult, oldRoot) || !equal(result, root)) {
    throw new ProofFailure(
      'the record does not continue the one that was seen before: entries were changed or removed',
    );
  }
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** Checks that `key` signed the checkpoint. Throws if it did not. */
export async function checkSignature(checkpoint: Checkpoint, key: VerifierKey): Promise<void> {
  const signature = checkpoint.signatures.find((one) => one.name === key.name && one.id === key.id);
  if (!signature)
    throw new ProofFailure(`the checkpoint is not signed by ${key.name}+${key.id.toString(16).padStart(8, '0')}`);
  const imported = await crypto.subtle.importKey('raw', key.key, { name: 'Ed25519' }, false, ['verify']);
  const isValid = await crypto.subtle.verify(
    { name: 'Ed25519' },
    imported,
    signature.bytes,
    new TextEncoder().encode(checkpoint.text),
  );
  if (!isValid) throw new ProofFailure('the signature of the checkpoint is not valid');
}

export interface Verified {
  entry: number;
  leafHash: string;
  root: string;
  size: number;
  pathLength: number;
  leaf: { [member: string]: unknown };
}

/** Verifies that `leaf` is entry `entry` of the record that `key` signed. Throws ``ProofFailure``. */
export async function verifyEntry(entry: number, leaf: string, proofText: string, key: VerifierKey): Promise<Verified> {
  const proof = parseProof(proofText);
  if (proof.index !== entry - 1) throw new ProofFailure(`the proof is about entry ${proof.index + 1}`);
  const content = JSON.parse(leaf) as { [member: string]: unknown };
  if (content['sequence'] !== entry) throw new ProofFailure(`the leaf is entry ${String(content['sequence'])}`);
  const hashOfLeaf = await leafHash(leaf);
  const root = await rootOfPath(hashOfLeaf, proof.index, proof.checkpoint.size, proof.path);
  if (!equal(root, proof.checkpoint.root))
    throw new ProofFailure('the path does not lead to the root of the checkpoint: the entry was altered');
  await checkSignature(proof.checkpoint, key);
  return {
    entry,
    leafHash: hexadecimal(hashOfLeaf),
    root: hexadecimal(root),
    size: proof.checkpoint.size,
    pathLength: proof.path.length,
    leaf: content,
  };
}
