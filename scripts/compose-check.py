#!/usr/bin/env python3
"""Looks at the running stack of packaging/compose/compose.yml, and plays a bad release in it (scripts/compose-test.sh)."""
import json
import pathlib
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request

root = pathlib.Path(__file__).resolve().parent.parent
tribune, alertmanager = "http://127.0.0.1:9190", "http://127.0.0.1:9093"
began = time.monotonic()


def podman(*words, check=True):
    result = subprocess.run(["podman", *words], capture_output=True, text=True, timeout=60)
    if check and result.returncode:
        raise RuntimeError("podman %s: %s" % (" ".join(words), (result.stdout + result.stderr).strip()))
    return result


def order(*words):
    return podman("exec", "tribune_tribune_1", "/usr/bin/tribune", *words, "--server=" + tribune).stdout


def get(url, data=None):
    with urllib.request.urlopen(url, data=data, timeout=10) as response:
        return response.read().decode()


def query(expression):
    """As Grafana's data source asks it: a POST."""
    data = urllib.parse.urlencode({"query": expression}).encode()
    return json.loads(get(tribune + "/api/v1/query", data))["data"]["result"]


def value(expression):
    result = query(expression)
    return float(result[0]["value"][1]) if result else None


def eventually(what, test, seconds=120):
    """Waits until `test` is true; an error of it is the same as false, and the last one is told."""
    end, told = time.monotonic() + seconds, ""
    while time.monotonic() < end:
        try:
            if test():
                print("   %6.1f s  %s" % (time.monotonic() - began, what), file=sys.stderr, flush=True)
                return
        except (OSError, RuntimeError, ValueError, KeyError, IndexError, subprocess.TimeoutExpired) as error:
            told = ": %s" % error
        time.sleep(0.5)
    sys.exit("FAILED: %s, not within %d s%s" % (what, seconds, told))


# What runs, and whether its own health check passes.
names = podman("ps", "--format", "{{.Names}}").stdout.split()
wanted = 20
eventually("%d containers run" % wanted, lambda: len(podman("ps", "-q").stdout.split()) == wanted, 60)
checked = [name for name in names if "CMD" in podman("inspect", "--format", "{{json .Config.Healthcheck}}", name).stdout]
if not {"tribune_tribune_1", "tribune_postgres_1", "tribune_redis_1"} <= set(checked):
    sys.exit("FAILED: health checks of %s only" % checked)
for name in checked:
    eventually(name + " is healthy", lambda: podman("healthcheck", "run", name, check=False).returncode == 0)

# The parts know each other.
eventually("Tribune scrapes itself, HAProxy and 14 services", lambda: value("count(up == 1)") == 16)
eventually("each of the seven services is measured in both versions",
           lambda: value('count(count by (service, env) (acgs_constitutional_compliance_score{env=~"blue|green"}))') == 14)
eventually("HAProxy passes on requests to seven services", lambda: all(get("http://127.0.0.1:%d/" % port) for port in range(8000, 8007)))
tested = podman("exec", "tribune_tribune_1", "/usr/bin/tribune", "routes", "test", "/etc/tribune-rules/plans/acgs.yml").stdout
if len(re.findall("(?m)^OK: acgs/.*stable healthy, candidate healthy$", tested)) != 7:
    sys.exit("FAILED: routes test:\n" + tested)


def sql(text):
    return podman("exec", "-e", "PGPASSWORD=tribune", "tribune_postgres_1", "psql", "-h", "127.0.0.1", "-U", "tribune",
                  "-At", "-c", text).stdout.strip()


eventually("Postgres has entries and measurements", lambda: int(sql("SELECT count(*) FROM tribune.event")) > 0
           and int(sql("SELECT count(*) FROM tribune.measurements")) > 0)
eventually("Redis has the latest measurements",
           lambda: podman("exec", "tribune_redis_1", "redis-cli", "--scan", "--pattern", "dgm:metrics:*").stdout.strip())
eventually("Tribune knows Alertmanager", lambda: get(alertmanager + "/-/ready")
           and len(json.loads(get(tribune + "/api/v1/alertmanagers"))["data"]["activeAlertmanagers"]) == 1)

# In place of Grafana: its data sources from another container, and the queries of a dashboard.
sources = (root / "packaging/compose/grafana/provisioning/datasources/tribune.yml").read_text()
for host, port in re.findall(r"url: http://([\w.]+):(\d+)", sources):
    podman("exec", "tribune_redis_1", "bash", "-c", "exec 3<>/dev/tcp/%s/%s" % (host, port))


def filled(text):
    text = text.replace("$__rate_interval", "1m").replace("$__interval", "15s").replace("$__range", "1h")
    return re.sub(r"\$(plan|service|env)\b", ".*", text)


panels = {}
for panel in json.loads((root / "dashboards/tribune-rollout.json").read_text())["panels"]:
    expressions = [filled(target["expr"]) for target in panel.get("targets", []) if "expr" in target]
    if expressions:
        panels[panel["title"]] = expressions

# The bad release.


def weights():
    address = podman("inspect", "--format", '{{(index .NetworkSettings.Networks "tribune_default").IPAddress}}', "tribune_haproxy_1")
    text = get("http://%s:8405/metrics" % address.stdout.strip())
    return {server: float(re.search(r'haproxy_server_weight\{proxy="acgs_auth",server="%s"\} ([\d.]+)' % server, text)[1])
            for server in ("blue", "green")}


order("rollout", "start", "acgs", "--service=auth", "--reason=a new version")
eventually("HAProxy gives green of auth traffic", lambda: weights()["green"] > 0)
eventually("green of auth answers requests", lambda: value('sum(http_requests_total{service="auth",env="green"})') > 0)
get("http://127.0.0.1:8100/misbehave?mode=hash", b"")
began_bad = time.monotonic()
eventually("HAProxy gives green nothing any more", lambda: weights()["green"] == 0 and weights()["blue"] > 0, 60)
print("   green had traffic for %.1f s after it began to misbehave" % (time.monotonic() - began_bad), file=sys.stderr)


def rollbacks():
    """The open rollbacks that Alertmanager knows of."""
    alerts = json.loads(get(alertmanager + "/api/v2/alerts"))
    return [alert for alert in alerts if alert["labels"]["alertname"] == "TribuneRollback" and alert["labels"]["plan"] == "acgs"]


eventually("Alertmanager has the rollback", rollbacks, 60)
eventually("the rollback is validated", lambda: "validated" in order("rollout", "report", "acgs"))
report = order("rollout", "report", "acgs")
if "ConstitutionalHashMismatch" not in report:
    sys.exit("FAILED: the report:\n" + report)
eventually("Alertmanager has its end", lambda: not rollbacks())
for step in ("shifted", "verified", "validated"):
    eventually("Postgres has the step " + step, lambda: int(sql(
        "SELECT count(*) FROM tribune.event WHERE kind = 'rollback_step' AND body ->> 'step' = '%s'" % step)) > 0)
# Panels about receivers and pages have no data here: nobody is notified.
full = [title for title, expressions in panels.items() if any([query(expression) for expression in expressions])]
if len(full) < len(panels) * 2 / 3:
    sys.exit("FAILED: panels without data: %s" % sorted(set(panels) - set(full)))
print("   %6.1f s  %d containers, data in %d of %d panels, a rollback of a bad release"
      % (time.monotonic() - began, wanted, len(full), len(panels)), file=sys.stderr)
