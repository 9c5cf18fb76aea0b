#!/usr/bin/env bash
# Verifies the signature and the checksums of a downloaded release: packaging/verify.sh DIR PUBLIC_KEY
#
# PUBLIC_KEY comes from a place that you trust, not from DIR: whoever changes files can change the key beside them.
# Every file of DIR must be listed and unchanged. Ends with 1 and names the file otherwise.
set -euo pipefail
[ $# -eq 2 ] || { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
key=$(realpath "$2")
cd "$1"
for file in SHA256SUMS SHA256SUMS.sig; do [ -f "$file" ] || { echo "$file is missing" >&2; exit 1; }; done
openssl pkeyutl -verify -pubin -inkey "$key" -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig >/dev/null 2>&1 ||
    { echo "SHA256SUMS is not signed with the key $2" >&2; exit 1; }
sha256sum --check --strict --quiet SHA256SUMS >&2 || exit 1
for file in *; do
    case $file in SHA256SUMS | SHA256SUMS.sig | SHA256SUMS.asc | release.pub) continue ;; esac
    cut -c 67- SHA256SUMS | grep -qxF -- "$file" || { echo "$file is not in SHA256SUMS" >&2; exit 1; }
done
echo "signature and $(wc -l <SHA256SUMS) files: OK"
