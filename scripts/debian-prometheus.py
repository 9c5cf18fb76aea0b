#!/usr/bin/env python3
"""Replaces Debian's Prometheus by Tribune: scripts/debian-prometheus.py TRIBUNE

The packages prometheus, prometheus-node-exporter and prometheus-alertmanager run with the files and flags that Debian
ships, untouched, and with the command of their systemd units. Then /usr/bin/prometheus is TRIBUNE (a bind mount, as a
diversion would do), and the same unit command is run. Targets, Alertmanagers and the answers to 200 queries must be the
same, promtool must be satisfied, and an alert must reach Alertmanager.

Needs root. Everything happens in network, mount and process namespaces of its own, with data in a tmpfs.
"""
import fcntl
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

PACKAGES = {"prometheus-node-exporter": 9100, "prometheus-alertmanager": 9093, "prometheus": 9090}
children = []
# Sizes, limits, names and states; nothing that is counted or measured.
CONSTANT = re.compile(
    r"node_(\w*_info|boot_time_seconds|memory_(Mem|Swap|Vmalloc)Total_bytes|memory_(HugePages|Hugepagesize|DirectMap|HardwareCorrupted)\w*"
    r"|filesystem_(size_bytes|files|readonly|device_error)|filefd_maximum|network_(mtu_bytes|up|flags|iface_\w+|address_assign_type"
    r"|device_id|protocol_type|net_dev_group|transmit_queue_length|dormant|carrier\w*|speed_bytes|name_assign_type)"
    r"|scrape_collector_success|textfile_scrape_error|entropy_pool_size_bits|nf_conntrack_entries_limit|time_zone_offset_seconds"
    r"|timex_(loop_time_constant|pps_\w+|tick_seconds|tai_offset_seconds)|selinux_enabled)[ {]"
)


def fail(text):
    print(f"FAILED: {text}", file=sys.stderr)
    for package in PACKAGES:
        path = f"/var/lib/prometheus/{package}.log"
        if os.path.exists(path):
            print(f"{package}: " + open(path).read()[-1000:], file=sys.stderr)
    stop_all()
    sys.exit(1)


def enter(arguments):
    """Runs this program again in its own namespaces; returns inside of them."""
    if os.environ.get("TRIBUNE_DROP_IN") != "inside":
        os.environ["TRIBUNE_DROP_IN"] = "inside"
        command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
        os.execvp(command[0], command + [sys.executable] + arguments)
    with socket.socket() as interface:
        request = struct.pack("16sh22x", b"lo", 1)  # IFF_UP
        fcntl.ioctl(interface, 0x8914, request)  # SIOCSIFFLAGS
    # Alertmanager looks for an address of its own behind a default route.
    run("ip", "address", "add", "192.168.77.1/24", "dev", "lo")
    run("ip", "route", "add", "default", "via", "192.168.77.2", "dev", "lo")
    run("mount", "-t", "proc", "proc", "/proc")
    run("mount", "-t", "tmpfs", "tmpfs", "/var/lib/prometheus")
    for folder in ("", "/metrics2", "/node-exporter", "/alertmanager"):
        os.makedirs(f"/var/lib/prometheus{folder}", exist_ok=True)
        run("chown", "prometheus:prometheus", f"/var/lib/prometheus{folder}")


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def unit_command(package):
    """The command of the package's unit with the flags of its file in /etc/default."""
    unit = open(f"/lib/systemd/system/{package}.service").read()
    command = re.search(r"^ExecStart=(.*)$", unit, re.M)[1]
    script = f'. /etc/default/{package}; printf "%s" "$ARGS"'
    return command.replace("$ARGS", run("sh", "-c", script)).split()


def get(path, port=9090, **parameters):
    query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
    try:
        with urllib.request.urlopen(f"http://localhost:{port}{path}{query}", timeout=10) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode()


def eventually(what, condition, seconds=90):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except (OSError, ValueError, KeyError):
            pass
        time.sleep(0.2)
    fail(f"not within {seconds} s: {what}")


def start(package):
    log = open(f"/var/lib/prometheus/{package}.log", "w")
    prefix = ["setpriv", "--reuid=prometheus", "--regid=prometheus", "--clear-groups", "--no-new-privs"]
    child = subprocess.Popen(prefix + unit_command(package), stdout=log, stderr=log, cwd="/var/lib/prometheus")
    children.append(child)
    path = "/" if package.endswith("exporter") else "/-/ready"
    eventually(f"{package} is ready", lambda: child.poll() is None and get(path, PACKAGES[package]) is not None)
    return child


def stop(child):
    child.send_signal(signal.SIGTERM)
    try:
        code = child.wait(timeout=30)
    except subprocess.TimeoutExpired:
        fail("it does not stop")
    children.remove(child)
    return code


def stop_all():
    for child in children:
        child.kill()
        child.wait()


def stable_metrics():
    """The series of the exporter that do not change while a machine runs, by metric."""
    found = {}
    for line in get("/metrics", 9100).splitlines():
        if CONSTANT.match(line):
            found.setdefault(re.match(r"\w+", line)[0], []).append(line)
    return found


TEMPLATES = [
    "M", "count(M)", "sum by (instance) (M)", "max without (device, mountpoint) (M)", "topk(3, M)",
    'label_replace(M, "x", "$1", "instance", "(.*):.*")', "M > 0", "count_values(\"v\", M)",
]


def answer(query):
    """The answer without times, sorted."""
    data = json.loads(get("/api/v1/query", query=query))
    if data["status"] != "success":
        return ("error", data.get("errorType"))
    result = data["data"]["result"]
    if data["data"]["resultType"] == "scalar":
        return ("scalar", result[1])
    return sorted((json.dumps(one["metric"], sort_keys=True), one["value"][1]) for one in result)


def observe(queries):
    """Targets, Alertmanagers and answers of the server on port 9090."""
    eventually(
        "both targets are up",
        lambda: answer("sum(up)") == [("{}", "2")] and len(answer("node_uname_info")) == 1,
    )
    names = ["labels", "discoveredLabels", "scrapePool", "scrapeUrl", "globalUrl", "health", "lastError",
             "scrapeInterval", "scrapeTimeout"]
    targets = json.loads(get("/api/v1/targets"))["data"]
    return {
        "targets": sorted(json.dumps({name: one[name] for name in names}, sort_keys=True) for one in targets["activeTargets"]),
        "dropped": targets["droppedTargets"],
        "alertmanagers": json.loads(get("/api/v1/alertmanagers"))["data"],
        "rules": json.loads(get("/api/v1/rules"))["data"]["groups"],
        "alerts": json.loads(get("/api/v1/alerts"))["data"],
        "jobs": json.loads(get("/api/v1/label/job/values"))["data"],
        "answers": {query: answer(query) for query in queries},
    }


def with_a_rule():
    """The administrator's first change: a rule that always fires."""
    run("mount", "-t", "tmpfs", "tmpfs", "/mnt")
    run("cp", "-a", "/etc/prometheus", "/mnt/prometheus")
    path = "/mnt/prometheus/prometheus.yml"
    text = open(path).read()
    open(path, "w").write(text.replace("rule_files:\n", "rule_files:\n  - rules.yml\n", 1))
    open("/mnt/prometheus/rules.yml", "w").write(
        "groups:\n- name: first\n  rules:\n  - alert: NodeIsThere\n    expr: up{job='node'} == 1\n"
        "    labels: {severity: page}\n    annotations: {summary: '{{ $labels.instance }} is up'}\n"
    )
    run("mount", "--bind", "/mnt/prometheus", "/etc/prometheus")


def main():
    tribune = os.path.realpath(sys.argv[1])
    enter(sys.argv)
    start("prometheus-node-exporter")
    start("prometheus-alertmanager")
    before = stable_metrics()

    theirs = start("prometheus")
    time.sleep(2)
    # Metrics that did not change so far; those that change later are left out below.
    now = stable_metrics()
    names = sorted(name for name, lines in before.items() if now.get(name) == lines)
    queries = [template.replace("M", name) for name in names for template in TEMPLATES]
    wanted = observe(queries)
    stop(theirs)

    run("mount", "--bind", tribune, "/usr/bin/prometheus")
    run("sh", "-c", "rm -rf /var/lib/prometheus/metrics2/*")
    ours = start("prometheus")
    if not os.path.samefile(f"/proc/{ours.pid}/exe", tribune):
        fail("the unit's command did not start Tribune")
    found = observe(queries)
    end = stable_metrics()
    for part in ("targets", "dropped", "alertmanagers", "rules", "alerts", "jobs"):
        if wanted[part] != found[part]:
            fail(f"{part}\nPrometheus: {wanted[part]}\nTribune:    {found[part]}")
    same = [query for query in queries if end.get(re.search(r"node_\w+", query)[0]) == before[re.search(r"node_\w+", query)[0]]]
    for query in same:
        if wanted["answers"][query] != found["answers"][query]:
            fail(f"{query}\nPrometheus: {wanted['answers'][query]}\nTribune:    {found['answers'][query]}")
    if len(same) < 200:
        fail(f"only {len(same)} queries of metrics that did not change")

    server = "http://localhost:9090"
    for command in (
        ["promtool", "check", "config", "/etc/prometheus/prometheus.yml"],
        ["promtool", "query", "instant", server, "up"],
        ["promtool", "query", "range", "--step=1s", server, "up"],
        ["promtool", "query", "series", "--match=up", server],
        ["promtool", "query", "labels", server, "job"],
    ):
        if not run(*command).strip():
            fail(f"{command}: no output")
    checked = subprocess.run(["promtool", "check", "metrics"], input=get("/metrics"), capture_output=True, text=True, timeout=60)
    if checked.returncode not in (0, 3):  # 3: advice on names
        fail(f"promtool check metrics: {checked.stderr}")

    with_a_rule()
    ours.send_signal(signal.SIGHUP)
    alert = lambda: json.loads(run("amtool", "--alertmanager.url=http://localhost:9093", "-o", "json", "alert", "query"))
    eventually("the alert reaches Alertmanager", lambda: [one for one in alert() if one["labels"]["alertname"] == "NodeIsThere"])
    labels = alert()[0]["labels"]
    if labels.get("monitor") != "example" or labels.get("instance") != "localhost:9100":
        fail(f"labels of the alert: {labels}")
    code = stop(ours)
    if code != 0:
        fail(f"it ended with {code}")
    stop_all()
    print(f"{len(wanted['targets'])} targets, {len(same)} queries of {len(names)} metrics: equal; promtool and alert: OK")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main()
