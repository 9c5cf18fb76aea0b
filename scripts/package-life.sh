# Run by scripts/package-test.sh inside the fresh Debian: the life of the package. Arguments: port, package, newer package.
set -euo pipefail
port=$1 first=$2 second=$3
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
fail() { echo "FAILED: $*" >&2; [ ! -e /tmp/serve.log ] || tail -n 20 /tmp/serve.log >&2; exit 1; }
step() { echo "   $*" >&2; }

# Starts the service as its unit does: the unit's command and the flags of /etc/default, as the user of the unit.
start() {
    local ARGS='' command
    . /etc/default/tribune
    command=$(sed -n 's/^ExecStart=//p' /lib/systemd/system/tribune.service)
    command=${command//\$ARGS/$ARGS}
    # What systemd does for RuntimeDirectory=.
    install -d -o tribune -g tribune -m 0700 /run/tribune
    # shellcheck disable=SC2086
    setpriv --reuid tribune --regid tribune --clear-groups --no-new-privs --bounding-set=-all \
        env -i PATH=/usr/bin:/bin RUNTIME_DIRECTORY=/run/tribune $command >/tmp/serve.log 2>&1 &
    service=$!
    for _ in $(seq 300); do
        ! get /ready >/dev/null || return 0
        kill -0 "$service" 2>/dev/null || break
        sleep 0.1
    done
    fail "the service did not become ready"
}
stop() { kill "$service"; wait "$service" || fail "the service ended with $?"; rm -rf /run/tribune; }
# What an order to a plan that does not exist is answered, given by the user $1.
order() { setpriv --reuid "$1" --clear-groups tribune rollout start none --server="http://127.0.0.1:$port" 2>&1 || true; }
get() { tribune_get "$1"; }
# There is no curl in a minimal Debian.
tribune_get() {
    exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
    printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$1" >&3
    local answer
    answer=$(cat <&3)
    exec 3>&-
    case $answer in "HTTP/1."?" 200"*) printf '%s\n' "$answer" ;; *) return 1 ;; esac
} 2>/dev/null
samples() { tribune query instant "http://127.0.0.1:$port" 'count_over_time(up{job="tribune"}[1h])' | sed -n 's/.* => \([0-9]*\).*/\1/p'; }

apt-get update -q >/dev/null
find / -xdev \( -path /tmp -o -path /var/cache -o -path /var/log -o -path /var/lib/apt -o -path /var/lib/dpkg \) -prune -o -print |
    sort >/tmp/before

step "install"
apt-get install -q -y --no-install-recommends "$first" >/tmp/install.log 2>&1 || { cat /tmp/install.log >&2; exit 1; }
[ "$(stat -c %U:%a /var/lib/tribune)" = tribune:750 ] || fail "/var/lib/tribune: $(stat -c %U:%a /var/lib/tribune)"
! ldd /usr/bin/tribune | grep -q 'not found\|libswift' || fail "libraries: $(ldd /usr/bin/tribune)"
tribune check config /etc/tribune/tribune.yml >&2 || fail "the shipped configuration"
for link in $(grep -o '](docs/[^)#]*' /usr/share/doc/tribune/README.md | cut -c 3-); do
    [ -e "/usr/share/doc/tribune/$link" ] || fail "README links to $link, which is not installed"
done
commands=$(tribune --help | sed -n 's/^  \([^ ].*\)/\1/p' | sed 's/  .*//' | tr ' ' -)
[ "$(wc -w <<<"$commands")" -gt 20 ] || fail "tribune --help lists $commands"
for name in $commands; do
    [ -e "/usr/share/man/man1/tribune-$name.1.gz" ] || fail "no manual page of $name"
done
for file in bash-completion/completions/tribune zsh/vendor-completions/_tribune fish/vendor_completions.d/tribune.fish; do
    [ -s "/usr/share/$file" ] || fail "no completion $file"
done
# The administrator changes two files of the package.
sed -i "s/127.0.0.1:9190/127.0.0.1:$port/" /etc/default/tribune /etc/tribune/prometheus.yml
sed -i 's/15s/1s/' /etc/tribune/prometheus.yml

step "serve"
start
for path in /health /ready /-/ready /metrics; do get "$path" >/dev/null || fail "$path"; done
for user in root tribune; do
    answer=$(order "$user")
    case $answer in *'no rollout plan "none"'*) ;; *) fail "an order of $user: $answer" ;; esac
done
answer=$(order nobody)
case $answer in *unauthorized*) ;; *) fail "an order of nobody: $answer" ;; esac
for _ in $(seq 100); do
    before=$(samples)
    [ "${before:-0}" -lt 3 ] || break
    sleep 0.2
done
[ "${before:-0}" -ge 3 ] || fail "nothing was scraped"
stop

step "upgrade"
apt-get install -q -y --no-install-recommends "$second" >/tmp/install.log 2>&1 || { cat /tmp/install.log >&2; exit 1; }
grep -q ":$port" /etc/default/tribune || fail "the upgrade replaced a changed file"
start
after=$(samples)
[ "${after:-0}" -ge "$before" ] || fail "the upgrade lost samples: $before before, ${after:-0} after"
tribune audit verify --config.file=/etc/tribune/tribune.yml --storage.path=/var/lib/tribune >/dev/null ||
    fail "the record after the upgrade"
stop

step "remove"
apt-get remove -q -y tribune >/tmp/install.log 2>&1 || { cat /tmp/install.log >&2; exit 1; }
[ ! -e /usr/bin/tribune ] && [ ! -e /usr/share/tribune ] && [ ! -e /lib/systemd/system/tribune.service ] ||
    fail "removing left files of the program"
[ -d /var/lib/tribune/samples ] && [ -e /etc/tribune/tribune.yml ] || fail "removing deleted data or configuration"

step "purge"
apt-get purge -q -y tribune >/tmp/install.log 2>&1 || { cat /tmp/install.log >&2; exit 1; }
apt-get autoremove -q -y --purge >/dev/null 2>&1
find / -xdev \( -path /tmp -o -path /var/cache -o -path /var/log -o -path /var/lib/apt -o -path /var/lib/dpkg \) -prune -o -print |
    sort >/tmp/after
left=$(comm -13 /tmp/before /tmp/after | grep -v '^/etc/\(passwd\|group\|shadow\|gshadow\|subuid\|subgid\)-$' |
    grep -i tribune || true)
[ -z "$left" ] || fail "purging left: $left"
getent passwd tribune >/dev/null || fail "the user is gone: its number could be given to another"
