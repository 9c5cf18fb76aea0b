#!/usr/bin/env bash
# Lays out the root file system of the container image: packaging/container/root.sh STAGE DIR
# STAGE is what packaging/stage.sh made. Beside it come the libraries that the program names, certificates, time zones and a
# user; there is no shell and no package manager in the image.
set -euo pipefail
stage=$1 root=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

mkdir -p "$root"/{usr/bin,usr/share,etc,tmp,data,proc,sys,dev}
strip --strip-debug -o "$root/usr/bin/tribune" "$stage/usr/bin/tribune" 2>/dev/null ||
    cp "$stage/usr/bin/tribune" "$root/usr/bin/tribune"
cp -R "$stage/usr/share/tribune" "$root/usr/share/tribune"
mkdir -p "$root/etc/tribune/rules" "$root/etc/tribune/plans"
cp -R "$stage/etc/tribune/." "$root/etc/tribune/"

# Libraries keep their paths, whatever links lie between a name and its file; /lib is /usr/lib as on every Debian.
ln -sfn usr/lib "$root/lib"
[ ! -e /lib64 ] || ln -sfn usr/lib64 "$root/lib64"
ldd "$stage/usr/bin/tribune" | grep -o '/[^ ]*' | sort -u | while read -r library; do
    case $library in /usr/*) place=$library ;; *) place=/usr$library ;; esac
    install -D -m 755 "$(readlink -f "$library")" "$root$place"
done

cp -R --dereference /usr/share/zoneinfo "$root/usr/share/zoneinfo"
rm -rf "$root"/usr/share/zoneinfo/{right,posix}
install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
# OpenSSL's own default place of certificates.
mkdir -p "$root/usr/lib/ssl"
ln -sfn /etc/ssl/certs/ca-certificates.crt "$root/usr/lib/ssl/cert.pem"
printf 'root:x:0:0:root:/:/sbin/nologin\ntribune:x:1000:1000:Tribune:/data:/sbin/nologin\n' >"$root/etc/passwd"
printf 'root:x:0:\ntribune:x:1000:\n' >"$root/etc/group"
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$root/etc/nsswitch.conf"
install -D -m 644 "$here/LICENSE" "$root/usr/share/doc/tribune/LICENSE"
chmod 1777 "$root/tmp"
chown 1000:1000 "$root/data"
