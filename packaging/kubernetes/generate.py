#!/usr/bin/env python3
"""Makes the manifests' files that are copies of rules/: packaging/kubernetes/generate.py [--check]

With --check nothing is written; exit code 1 names the files that differ from what would be written.
"""
import pathlib
import re
import sys

here = pathlib.Path(__file__).resolve().parent
root = here.parent.parent
rules = root / "rules"


def prometheus_rule():
    lines = [line for line in (rules / "tribune.yml").read_text().splitlines() if not line.startswith("#")]
    indented = "\n".join("  " + line if line else "" for line in lines)
    return (
        "# Made from rules/tribune.yml by generate.py.\napiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\n"
        f"metadata:\n  name: tribune\nspec:\n{indented.rstrip()}\n"
    )


def listening():
    """Names and ports of the services."""
    text = (rules / "plans" / "acgs.yml").read_text()
    return [(name, port) for port, name in re.findall(r"^# Listens on port (\d+)\.\n(?:#.*\n)*- name: (\w+)$", text, re.M)]


def plan():
    """The plan of the seven services with HTTPRoutes in place of HAProxy's backends."""
    text = (rules / "plans" / "acgs.yml").read_text()
    route = re.compile(
        r"  - haproxy:\n      address: .*\n      stable: \[acgs_(\w+)/blue\]\n      candidate: .*\n"
        r"    isolate: drain\n    timeout: 2s\n"
    )
    made, count = route.subn(
        r"  - kubernetes:\n      namespace: acgs\n      name: \1\n      kind: httproute\n      stable: \1-blue\n"
        r"      candidate: \1-green\n    timeout: 5s\n",
        text,
    )
    services = len(re.findall(r"^- name: ", text, re.M))
    if count != services:
        raise SystemExit(f"rules/plans/acgs.yml: {services} services, but {count} routes of HAProxy")
    ports = dict(listening())
    # Readiness of the Services behind a route says whether blue is healthy; the plan asks blue itself.
    made = re.sub(
        r"^- name: (\w+)\n",
        lambda match: f"- name: {match[1]}\n  stable_health: http://{match[1]}-blue:{ports[match[1]]}/healthz\n",
        made,
        flags=re.M,
    )
    return "# Made from rules/plans/acgs.yml by generate.py.\n" + made


def copied(name):
    return "# A copy of rules/" + name + " by generate.py.\n" + (rules / name).read_text()


def scrape_configuration():
    text = (
        "# Made by generate.py: the seven services, blue and green, and Tribune itself.\n"
        "global:\n  scrape_interval: 5s\n  evaluation_interval: 30s\nrule_files:\n- rules/*.yml\nscrape_configs:\n"
        "- job_name: tribune\n  static_configs:\n  - targets: ['localhost:8007']\n- job_name: acgs\n  static_configs:\n"
    )
    for service, port in listening():
        for env in ["blue", "green"]:
            text += f"  - targets: ['{service}-{env}:{port}']\n    labels: {{service: {service}, env: {env}}}\n"
    return text


acgs = here / "overlays" / "acgs"
files = {
    here / "components" / "monitoring" / "prometheusrule.yaml": prometheus_rule(),
    acgs / "plans" / "acgs.yml": plan(),
    acgs / "rules" / "rollback.yml": copied("rollback.yml"),
    acgs / "rules" / "acgs.yml": copied("acgs.yml"),
    acgs / "rules" / "acgs-platform.yml": copied("acgs-platform.yml"),
    acgs / "prometheus.yml": scrape_configuration(),
}
different = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
if "--check" in sys.argv[1:]:
    for path in different:
        print(f"{path.relative_to(root)} differs from rules/: run packaging/kubernetes/generate.py")
    sys.exit(1 if different else 0)
for path in different:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(files[path])
    print(f"wrote {path.relative_to(root)}")
