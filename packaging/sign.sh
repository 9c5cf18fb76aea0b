#!/usr/bin/env bash
# Writes SHA256SUMS over the files of a release and signs it: packaging/sign.sh DIR KEY
#
# KEY is an Ed25519 private key in PEM, made once by `openssl genpkey -algorithm ed25519 -out release.key`. The signature is
# SHA256SUMS.sig; the public key, release.pub, is written beside it. With GPG_KEY=NAME a signature of GnuPG is added.
set -euo pipefail
[ $# -eq 2 ] || { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
key=$(realpath "$2")
cd "$1"
rm -f SHA256SUMS SHA256SUMS.sig SHA256SUMS.asc release.pub
files=()
for file in *; do [ ! -f "$file" ] || files+=("$file"); done
[ ${#files[@]} -gt 0 ] || { echo "$PWD has no files to sign" >&2; exit 1; }
openssl pkey -in "$key" -pubout -out release.pub
sha256sum -- "${files[@]}" >SHA256SUMS
openssl pkeyutl -sign -inkey "$key" -rawin -in SHA256SUMS -out SHA256SUMS.sig
[ -z "${GPG_KEY:-}" ] || gpg --batch --yes --local-user "$GPG_KEY" --armor --detach-sign SHA256SUMS
