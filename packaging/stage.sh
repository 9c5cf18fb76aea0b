#!/usr/bin/env bash
# Copies the files of every package into a directory: packaging/stage.sh PROGRAM DIR
# The program, the default configuration, rules and dashboards, manual pages and completions; the last two are made by the
# program itself.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=$1 stage=$2

install -D -m 755 "$program" "$stage/usr/bin/tribune"
for file in tribune.yml prometheus.yml; do
    install -D -m 644 "$here/packaging/etc/$file" "$stage/etc/tribune/$file"
done
install -D -m 644 "$here/rules/tribune.yml" "$stage/etc/tribune/rules/tribune.yml"
install -d -m 755 "$stage/etc/tribune/plans"
for folder in rules dashboards; do
    mkdir -p "$stage/usr/share/tribune"
    cp -R --no-preserve=mode "$here/$folder" "$stage/usr/share/tribune/$folder"
done
mkdir -p "$stage/usr/share/man/man1"
"$program" reference man "$stage/usr/share/man/man1"
install -d "$stage/usr/share/bash-completion/completions" "$stage/usr/share/zsh/vendor-completions" \
    "$stage/usr/share/fish/vendor_completions.d"
"$program" completion bash >"$stage/usr/share/bash-completion/completions/tribune"
"$program" completion zsh >"$stage/usr/share/zsh/vendor-completions/_tribune"
"$program" completion fish >"$stage/usr/share/fish/vendor_completions.d/tribune.fish"
find "$stage" -type d -exec chmod 755 {} +
