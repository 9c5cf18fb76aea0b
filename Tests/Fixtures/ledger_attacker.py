#!/usr/bin/env python3
"""Attacks a ledger with everything that the owner of its database can do.

    ledger_attacker.py ATTACK DATABASE DIRECTORY [ENTRY]

DATABASE is `sqlite:PATH`, or `postgres:ADDRESS` for psql. DIRECTORY is that of the history; only `forge` and
`swap-key` read or write there, to show what stealing the key gives.

    alter      changes the text of ENTRY and nothing else
    forge      changes ENTRY, computes everything after it again, and signs every checkpoint with the stolen key
    truncate   removes ENTRY and all after it, and repairs head and checkpoints
    save       keeps a copy of the database in DIRECTORY/../copy
    restore    puts that copy in the place of the database
    swap-key   changes ENTRY and signs everything with a key of its own, which it puts in the place of the node's

It knows the formats from docs/architecture/ledger.md only.
"""
import base64
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile


class SQLite:
    def __init__(self, path):
        self.path = path

    def rows(self, sql):
        with sqlite3.connect(self.path) as database:
            rows = database.execute(sql).fetchall()
        return [[str(value) for value in row] for row in rows]

    def run(self, statements):
        database = sqlite3.connect(self.path)
        database.executescript("BEGIN;" + ";".join(statements) + ";COMMIT;")
        database.close()

    def blob(self, data):
        return f"x'{data.hex()}'"

    def save(self, copy):
        database = sqlite3.connect(self.path)
        target = sqlite3.connect(copy)
        database.backup(target)
        target.close()
        database.close()

    def restore(self, copy):
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(self.path + suffix):
                os.remove(self.path + suffix)
        shutil.copy(copy, self.path)


class Postgres:
    def __init__(self, address):
        self.address = address

    def psql(self, arguments, script=None):
        command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.address] + arguments
        return subprocess.run(command, input=script, check=True, capture_output=True, text=True).stdout

    def rows(self, sql):
        out = self.psql(["-A", "-t", "-F", "\x1f", "-R", "\x1e"], "SET search_path TO tribune; " + sql)
        return [row.rstrip("\n").split("\x1f") for row in out.split("\x1e") if row.strip("\n")]

    def run(self, statements):
        self.psql([], "SET search_path TO tribune; BEGIN;" + ";".join(statements) + ";COMMIT;")

    def blob(self, data):
        return f"'\\x{data.hex()}'::bytea"

    def save(self, copy):
        subprocess.run(["pg_dump", "-d", self.address, "-n", "tribune", "-f", copy], check=True)

    def restore(self, copy):
        self.psql([], "DROP SCHEMA tribune CASCADE")
        self.psql(["-f", copy])


def text(value):
    return "'" + value.replace("'", "''") + "'"


def leaf_hash(leaf):
    return hashlib.sha256(b"\0" + leaf.encode()).digest()


def parent(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def frontier(leaves):
    """Roots of the perfect subtrees that the list falls into, largest first."""
    trees = []
    for leaf in leaves:
        trees.append((1, leaf))
        while len(trees) > 1 and trees[-1][0] == trees[-2][0]:
            (_, right), (size, left) = trees.pop(), trees.pop()
            trees.append((2 * size, parent(left, right)))
    return [tree for _, tree in trees]


def root(leaves):
    trees = frontier(leaves)
    result = trees.pop()
    while trees:
        result = parent(trees.pop(), result)
    return result


def public_key(key_file):
    """The 32 bytes of an Ed25519 key's public half."""
    der = subprocess.run(
        ["openssl", "pkey", "-in", key_file, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
    return der[-32:]


def key_text(name, key):
    data = b"\1" + key
    identity = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    return f"{name}+{identity.hex()}+{base64.b64encode(data).decode()}", identity


def sign(key_file, name, body):
    with tempfile.NamedTemporaryFile() as file:
        file.write(body.encode())
        file.flush()
        signature = subprocess.run(
            ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key_file, "-in", file.name],
            check=True, capture_output=True).stdout
    _, identity = key_text(name, public_key(key_file))
    return f"{body}\n\u2014 {name} {base64.b64encode(identity + signature).decode()}\n"


class Ledger:
    def __init__(self, database):
        self.database = database
        self.leaves = [row[1] for row in database.rows("SELECT sequence, leaf FROM ledger ORDER BY sequence")]
        self.sizes = [int(row[0]) for row in database.rows("SELECT size FROM checkpoint ORDER BY size")]
        self.origin = database.rows("SELECT origin FROM log")[0][0]

    def change(self, entry):
        """Another text for the entry: a millisecond later."""
        leaf = json.loads(self.leaves[entry - 1])
        old = f'"milliseconds":{leaf["milliseconds"]}'
        self.leaves[entry - 1] = self.leaves[entry - 1].replace(old, f'"milliseconds":{leaf["milliseconds"] + 1}')

    def chain(self, entry):
        """Links the entries after `entry` to what they follow now."""
        for index in range(entry, len(self.leaves)):
            former = json.loads(self.leaves[index])["previous"]
            self.leaves[index] = self.leaves[index].replace(former, leaf_hash(self.leaves[index - 1]).hex())

    def write(self, key_file=None):
        """Writes entries, head and, with a key, checkpoints."""
        database = self.database
        hashes = [leaf_hash(leaf) for leaf in self.leaves]
        statements = [f"DELETE FROM ledger WHERE sequence > {len(hashes)}",
                      f"DELETE FROM checkpoint WHERE size > {len(hashes)}",
                      f"DELETE FROM disclosure WHERE sequence > {len(hashes)}"]
        for index, leaf in enumerate(self.leaves):
            statements.append(
                f"UPDATE ledger SET leaf = {text(leaf)}, hash = {database.blob(hashes[index])}, milliseconds = "
                f"{json.loads(leaf)['milliseconds']} WHERE sequence = {index + 1}")
        for position in range(len(hashes) // 256):
            node = root(hashes[256 * position:256 * position + 256])
            statements.append(
                f"UPDATE tree_node SET hash = {database.blob(node)} WHERE level = 8 AND position = {position}")
        statements.append(
            f"UPDATE log SET size = {len(hashes)}, previous = {database.blob(hashes[-1])}, "
            f"frontier = {database.blob(b''.join(frontier(hashes)))}")
        if key_file:
            for size in self.sizes:
                body = f"{self.origin}\n{size}\n{base64.b64encode(root(hashes[:size])).decode()}\n"
                statements.append(
                    f"UPDATE checkpoint SET note = {text(sign(key_file, self.origin, body))} WHERE size = {size}")
        database.run(statements)


def main():
    attack, address, directory = sys.argv[1:4]
    entry = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    kind, _, place = address.partition(":")
    database = SQLite(place) if kind == "sqlite" else Postgres(place)
    copy = os.path.join(os.path.dirname(os.path.normpath(directory)), "copy")
    key_file = os.path.join(directory, "signing-key.pem")
    if attack == "save":
        return database.save(copy)
    if attack == "restore":
        return database.restore(copy)
    ledger = Ledger(database)
    if attack == "alter":
        ledger.change(entry)
        database.run([f"UPDATE ledger SET leaf = {text(ledger.leaves[entry - 1])} WHERE sequence = {entry}"])
    elif attack == "truncate":
        del ledger.leaves[entry - 1:]
        ledger.write()
    elif attack == "forge":
        ledger.change(entry)
        ledger.chain(entry)
        ledger.write(key_file)
        # The node's own memory of the record is forged, too.
        newest = database.rows("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1")[0][0]
        with open(os.path.join(directory, "checkpoint"), "w") as file:
            file.write(newest.rstrip("\n") + "\n")
    elif attack == "swap-key":
        former, _ = key_text(ledger.origin, public_key(key_file))
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key_file + ".new"], check=True)
        new, _ = key_text(ledger.origin, public_key(key_file + ".new"))
        ledger.change(entry)
        ledger.leaves = [leaf.replace(former, new) for leaf in ledger.leaves]
        ledger.chain(1)
        ledger.write(key_file + ".new")
        database.run([f"UPDATE node_key SET key = {text(new)} WHERE key = {text(former)}"])
        os.rename(key_file + ".new", key_file)
    else:
        sys.exit(f"unknown attack {attack}")


main()
