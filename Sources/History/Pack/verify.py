#!/usr/bin/env python3
"""Verifies an export of Tribune's ledger with nothing but Python.

    verify.py DIR [--public-key KEY]... [--root-key KEY] [--checkpoint FILE]...
    verify.py --proof FILE --public-key KEY...
    verify.py --proofs FILE --public-key KEY...      (one proof per line)

Formats: docs/architecture/ledger.md. Exit code 0 if the record is intact, 1 if it was altered, 2 if it cannot be read.
Without --public-key and --root-key the keys in the export are believed, which proves only that it is consistent with itself.
"""
import argparse
import base64
import hashlib
import json
import os
import struct
import sys

# Ed25519 (RFC 8032), verification only.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
I = pow(2, (P - 1) // 4, P)


def recover_x(y, sign):
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return None if sign else 0
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * I % P
    if (x * x - x2) % P:
        return None
    return P - x if x & 1 != sign else x


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(s, p):
    q = (0, 1, 1, 0)
    while s:
        if s & 1:
            q = add(q, p)
        p, s = add(p, p), s >> 1
    return q


BY = 4 * pow(5, P - 2, P) % P
BX = recover_x(BY, 0)
BASE = (BX, BY, 1, BX * BY % P)


def point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    x = recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def signature_is_valid(key, message, signature):
    if len(key) != 32 or len(signature) != 64:
        return False
    a, r = point(key), point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    left, right = multiply(s, BASE), add(r, multiply(h, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


# Signed notes and checkpoints (C2SP).
class Key:
    def __init__(self, text):
        self.name, identifier, data = text.strip().split("+", 2)
        raw = base64.b64decode(data, validate=True)
        self.id = hashlib.sha256(self.name.encode() + b"\n" + raw).digest()[:4]
        if raw[0] != 1 or len(raw) != 33 or self.id.hex() != identifier:
            raise ValueError("not an Ed25519 key: " + text)
        self.bytes, self.text = raw[1:], text.strip()
        self.first, self.end = 0, None

    def body(self, note):
        """The signed text of a note, or None."""
        text, separator, signatures = note.partition("\n\n")
        text += "\n"
        for line in signatures.split("\n") if separator else []:
            words = line.split(" ")
            if len(words) == 3 and words[0] == "\u2014" and words[1] == self.name:
                raw = base64.b64decode(words[2])
                if raw[:4] == self.id and signature_is_valid(self.bytes, text.encode(), raw[4:]):
                    return text
        return None


def certified(note, root):
    """The key in a certificate of the root key, or None."""
    text = root.body(note)
    lines = text.split("\n") if text else []
    if len(lines) != 6 or lines[0] != "tribune-node-key/v1":
        return None
    key = Key(lines[2])
    if key.name != lines[1]:
        return None
    key.first, key.end = int(lines[3]), None if lines[4] == "-" else int(lines[4])
    return key


def checkpoint_of(note, keys):
    """Size and root of a note that one of the keys signed, or None."""
    for key in keys:
        text = key.body(note)
        if text:
            lines = text.split("\n")
            size = int(lines[1])
            if size >= key.first and (key.end is None or size < key.end):
                return size, base64.b64decode(lines[2])
    return None


# The Merkle tree of RFC 6962.
def leaf_hash(text):
    return hashlib.sha256(b"\0" + text.encode()).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    def __init__(self):
        self.size, self.frontier = 0, []

    def append(self, digest):
        size = self.size
        while size & 1:
            digest = node_hash(self.frontier.pop(), digest)
            size >>= 1
        self.frontier.append(digest)
        self.size += 1

    def root(self):
        if not self.frontier:
            return hashlib.sha256(b"").digest()
        digest = self.frontier[-1]
        for left in reversed(self.frontier[:-1]):
            digest = node_hash(left, digest)
        return digest


def is_included(digest, index, size, root, path):
    if not 0 <= index < size:
        return False
    position, last = index, size - 1
    for sibling in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            digest = node_hash(sibling, digest)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            digest = node_hash(digest, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and digest == root


# Contents beside the leaves.
def marked(value, mark):
    """The hashes in all objects {mark: hash} within a value."""
    if isinstance(value, dict):
        if list(value) == [mark] and isinstance(value[mark], str) and len(value[mark]) == 64:
            yield value[mark]
        else:
            for child in value.values():
                yield from marked(child, mark)
    elif isinstance(value, list):
        for child in value:
            yield from marked(child, mark)


def batch_digest(samples):
    series = {}
    for labels, time, value in samples:
        bits = 0x7FF8000000000000 if value != value else struct.unpack(">Q", struct.pack(">d", value))[0]
        series.setdefault(labels.encode(), []).append((time, bits))
    data = b""
    for labels in sorted(series):
        rows = sorted(series[labels])
        data += struct.pack(">I", len(labels)) + labels + struct.pack(">I", len(rows))
        data += b"".join(struct.pack(">qQ", time, bits) for time, bits in rows)
    return hashlib.sha256(data).hexdigest()


def lines_of(directory, name):
    path = os.path.join(directory, name)
    if os.path.exists(path):
        with open(path, encoding="utf-8", newline="\n") as file:
            for line in file:
                yield line.rstrip("\n")


class Export:
    def __init__(self, directory):
        self.directory, self.problems, self.tree = directory, [], Tree()
        self.leaves = list(lines_of(directory, "ledger.jsonl"))
        self.hashes = list(lines_of(directory, "hashes.txt"))
        self.notes = {}
        for line in lines_of(directory, "checkpoints.jsonl"):
            note = json.loads(line)
            self.notes.setdefault(note["size"], []).append(note["note"])
        self.batches, self.texts = {}, {}
        for line in lines_of(directory, "measurements.jsonl"):
            row = json.loads(line)
            labels = json.dumps(row["labels"], ensure_ascii=False, separators=(",", ":"))
            self.batches.setdefault(row["batch"], []).append((labels, row["timestamp"], float(row["value"])))
        for line in lines_of(directory, "disclosures.jsonl"):
            row = json.loads(line)
            self.texts.setdefault(row["sequence"], {})[row["commitment"]] = (row["salt"], row["text"])
        self.dropped, self.erased = [], set()
        for leaf in self.leaves:
            if '"kind":"retention"' in leaf or '"kind":"erasure"' in leaf:
                self.note_removal(leaf)

    def note_removal(self, leaf):
        try:
            entry = json.loads(leaf)
        except ValueError:
            return
        if entry["kind"] == "retention":
            self.dropped.append((entry["body"]["from"], entry["body"]["through"]))
        if entry["kind"] == "erasure":
            self.erased.update(entry["body"]["commitments"])

    def problem(self, where, what):
        self.problems.append(f"{where}: {what}")

    def check_entry(self, number, leaf):
        where = f"entry {number}"
        stored = self.hashes[number - 1] if number <= len(self.hashes) else ""
        if leaf_hash(leaf).hex() != stored:
            return self.problem(where, "its text is not the one that was hashed: altered")
        entry = json.loads(leaf)
        if entry["sequence"] != number:
            self.problem(where, f"says that it is entry {entry['sequence']}: moved or inserted")
        if entry["previous"] != (self.hashes[number - 2] if number > 1 else ""):
            self.problem(where, "follows another entry: replaced")
        if entry["kind"] == "measurements":
            self.check_batch(where, number, entry["body"])
        elif number in self.batches:
            self.problem(where, "vouches for no measurements, yet there are some: inserted")
        if entry.get("format", 1) >= 2:
            self.check_texts(where, number, entry)
        for digest in marked(entry["body"], "$blob"):
            path = os.path.join(self.directory, "blobs", digest)
            if not os.path.exists(path):
                self.problem(where, "a content that it refers to was removed")
            elif hashlib.sha256(open(path, "rb").read()).hexdigest() != digest:
                self.problem(where, "a content that it refers to was altered")

    def check_batch(self, where, number, body):
        if number not in self.batches:
            if not any(first <= body["from"] <= last for first, last in self.dropped):
                self.problem(where, "its measurements were removed")
        elif batch_digest(self.batches[number]) != body["sha256"]:
            self.problem(where, "its measurements were altered")

    def check_texts(self, where, number, entry):
        texts = self.texts.get(number, {})
        commitments = set(marked(entry["body"], "$person")) | set(marked(entry.get("actor"), "$person"))
        for commitment in commitments:
            if commitment in texts:
                salt, text = texts[commitment]
                if hashlib.sha256(bytes.fromhex(salt) + text.encode()).hexdigest() != commitment:
                    self.problem(where, "a text about a person was altered")
            elif commitment not in self.erased:
                self.problem(where, "a text about a person was removed without an entry")
        if set(texts) - commitments:
            self.problem(where, "a text about a person was inserted")

    def check_note(self, note, size, keys):
        found = checkpoint_of(note, keys)
        if found is None:
            return self.problem(f"checkpoint over {size}", "not signed by a trusted key")
        if found[0] != self.tree.size:
            return self.problem(f"entries {self.tree.size + 1}-{found[0]}", "removed: a signed checkpoint covers them")
        if found[1] != self.tree.root():
            self.problem(f"entries 1-{size}", "another root than was signed: replaced with their hashes")

    def verify(self, keys, outside):
        pending = sorted(outside, key=lambda item: item[0])
        signed = 0
        for number, leaf in enumerate(self.leaves, 1):
            self.check_entry(number, leaf)
            self.tree.append(leaf_hash(leaf))
            for note in self.notes.pop(number, []):
                self.check_note(note, number, keys)
                signed = number
            while pending and pending[0][0] <= number:
                size, note = pending.pop(0)
                self.check_note(note, size, keys)
        for size, notes in sorted(self.notes.items()):
            for note in notes:
                if size > 0:
                    self.check_note(note, size, keys)
        for size, note in pending:
            self.check_note(note, size, keys)
        if len(self.hashes) > len(self.leaves):
            self.problem(f"entry {len(self.leaves) + 1}", "removed: its hash is still there")
        return signed


def verify_proof(proof, keys):
    head, _, note = proof["proof"].partition("\n\n")
    lines = head.split("\n")
    found = checkpoint_of(note, keys)
    if lines[0] != "c2sp.org/tlog-proof@v1" or found is None:
        return "its checkpoint was not signed by a trusted key"
    index = int(lines[1].split(" ")[1])
    if json.loads(proof["leaf"])["sequence"] != index + 1:
        return "its entry has another number"
    path = [base64.b64decode(line) for line in lines[2:]]
    if not is_included(leaf_hash(proof["leaf"]), index, found[0], found[1], path):
        return "its entry is not in the record of the checkpoint"
    return None


def main():
    parser = argparse.ArgumentParser(description="Verifies an export of Tribune's ledger.")
    parser.add_argument("directory", nargs="?")
    parser.add_argument("--public-key", action="append", default=[])
    parser.add_argument("--root-key")
    parser.add_argument("--checkpoint", action="append", default=[])
    parser.add_argument("--proof")
    parser.add_argument("--proofs")
    options = parser.parse_args()
    keys = [Key(text) for text in options.public_key]
    if options.proof or options.proofs:
        if options.proof:
            proofs = [json.load(open(options.proof, encoding="utf-8"))]
        else:
            proofs = [json.loads(line) for line in open(options.proofs, encoding="utf-8")]
        problems = [(proof, verify_proof(proof, keys)) for proof in proofs]
        for proof, problem in problems:
            if problem:
                print(f"PROBLEM entry {json.loads(proof['leaf'])['sequence']}: {problem}")
        bad = any(problem for _, problem in problems)
        print("Not every proof is valid." if bad else f"{len(proofs)} proofs are valid.")
        return 1 if bad else 0
    if options.root_key:
        root = Key(options.root_key)
        notes = [json.loads(line) for line in lines_of(options.directory, "certificates.jsonl")]
        keys += [key for key in (certified(note, root) for note in notes) if key]
    elif not keys:
        keys = [Key(line) for line in lines_of(options.directory, "public-key.txt") if line]
    outside = []
    for path in options.checkpoint:
        note = open(path, encoding="utf-8").read()
        outside.append((int(note.split("\n")[1]), note))
    export = Export(options.directory)
    signed = export.verify(keys, outside)
    print(f"{len(export.leaves)} entries, {signed} of them signed, root {base64.b64encode(export.tree.root()).decode()}")
    for problem in export.problems:
        print("PROBLEM", problem)
    print("The record has been altered." if export.problems else "The record is intact.")
    return 1 if export.problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError, KeyError, TypeError) as error:
        print("cannot read the record:", error, file=sys.stderr)
        sys.exit(2)
