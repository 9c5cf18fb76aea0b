#!/usr/bin/env python3
"""Makes compose.yml, haproxy/haproxy.cfg and tribune/prometheus.yml for the services of rules/plans/acgs.yml.

packaging/compose/generate.py [--check]: with --check nothing is written, and exit code 1 names what differs.
"""
import pathlib
import re
import sys

here = pathlib.Path(__file__).resolve().parent
plan = (here.parent.parent / "rules" / "plans" / "acgs.yml").read_text()
services = [
    (int(port), name) for port, name in re.findall(r"^# Listens on port (\d+)\.\n(?:#.*\n)*- name: (\w+)$", plan, re.M)
]
assert len(services) == 7, services


def compose():
    text = """# Made by generate.py. The whole stack on one machine: docker compose -f packaging/compose/compose.yml up --build
# Tribune http://localhost:9190, Grafana http://localhost:3000 (admin, password in .env), the services http://localhost:8000-8006,
# their candidates http://localhost:8100-8106 (POST /misbehave?mode=hash makes one fail).
name: tribune
x-service: &service
  # Built by the service tribune, and in no registry.
  image: localhost/tribune
  pull_policy: never
  restart: unless-stopped
  read_only: true
  cap_drop: [ALL]
  security_opt: ['no-new-privileges:true']
x-limits: &limits
  deploy: {resources: {limits: {cpus: '0.25', memory: 128M}}}
services:
  tribune:
    <<: *service
    build: {context: ../.., dockerfile: packaging/container/Dockerfile}
    pull_policy: build
    command: [--config.file=/etc/tribune/tribune.yml]
    tmpfs: [/tmp]
    ports: ['127.0.0.1:9190:9190']
    volumes:
    - data:/data
    - ./tribune:/etc/tribune:ro
    - ../../rules:/etc/tribune-rules:ro
    - haproxy:/run/haproxy
    secrets: [history]
    depends_on:
      postgres: {condition: service_healthy}
      redis: {condition: service_healthy}
      haproxy: {condition: service_started}
    deploy: {resources: {limits: {cpus: '4.0', memory: 16G}}}
  postgres:
    image: docker.io/library/postgres:15-bookworm
    restart: unless-stopped
    environment: {POSTGRES_USER: tribune, POSTGRES_DB: tribune, POSTGRES_PASSWORD: '${POSTGRES_PASSWORD}'}
    volumes: ['postgres:/var/lib/postgresql/data']
    healthcheck: {test: [CMD, pg_isready, -U, tribune], interval: 5s, timeout: 3s, retries: 20}
  redis:
    image: docker.io/library/redis:7-bookworm
    restart: unless-stopped
    healthcheck: {test: [CMD, redis-cli, ping], interval: 5s, timeout: 3s, retries: 20}
  haproxy:
    image: docker.io/library/haproxy:2.6-bookworm
    restart: unless-stopped
    user: '1000:1000'
    volumes: ['./haproxy:/usr/local/etc/haproxy:ro', 'haproxy:/run/haproxy']
    ports: ['127.0.0.1:8000-8006:8000-8006']
  alertmanager:
    image: docker.io/prom/alertmanager:v0.27.0
    restart: unless-stopped
    command: [--config.file=/etc/alertmanager/alertmanager.yml]
    volumes: ['./alertmanager.yml:/etc/alertmanager/alertmanager.yml:ro']
    ports: ['127.0.0.1:9093:9093']
  grafana:
    image: docker.io/grafana/grafana:11.2.0
    restart: unless-stopped
    environment: {GF_SECURITY_ADMIN_PASSWORD: '${GRAFANA_PASSWORD}', GF_ANALYTICS_REPORTING_ENABLED: 'false'}
    volumes: ['./grafana/provisioning:/etc/grafana/provisioning:ro', '../../dashboards:/var/lib/grafana/dashboards:ro']
    ports: ['127.0.0.1:3000:3000']
"""
    targets = ", ".join(f"--target={name}=http://haproxy:{port}/" for port, name in services)
    text += f"""  # The services' users.
  traffic:
    <<: [*service, *limits]
    entrypoint: [/usr/bin/tribune, loadtest, --quiet, --rate=140, --duration=24h, {targets}]
    command: []
    healthcheck: {{disable: true}}
    depends_on: {{haproxy: {{condition: service_started}}}}
"""
    for port, name in services:
        for version in ["blue", "green"]:
            text += f"""  {name}-{version}:
    <<: [*service, *limits]
    entrypoint: [/usr/bin/tribune, demo-service, --address=0.0.0.0, --port={port}, --service={name}, --version={version}]
    command: []
    healthcheck: {{disable: true}}
"""
            if version == "green":
                text += f"    ports: ['127.0.0.1:{port + 100}:{port}']\n"
    text += """volumes:
  data:
  postgres:
  # The admin socket, for the user of HAProxy and Tribune.
  haproxy: {driver_opts: {type: tmpfs, device: tmpfs, o: 'uid=1000,gid=1000,mode=0750'}}
secrets:
  history: {file: secrets/history}
"""
    return text


def haproxy():
    text = """# Made by generate.py.
global
  stats socket /run/haproxy/admin.sock mode 600 level admin
  stats timeout 1m
defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout server 30s
  # Containers start in any order.
  default-server init-addr last,libc,none resolvers network check inter 1s
# The network's own DNS: Docker and podman have different addresses for it.
resolvers network
  parse-resolv-conf
frontend metrics
  bind :8405
  http-request use-service prometheus-exporter if { path /metrics }
"""
    for port, name in services:
        text += f"""frontend {name}
  bind :{port}
  default_backend acgs_{name}
backend acgs_{name}
  option httpchk GET /healthz
  server blue {name}-blue:{port} weight 100
  server green {name}-green:{port} weight 0
"""
    return text


def prometheus():
    text = """# Made by generate.py.
global:
  scrape_interval: 5s
  evaluation_interval: 15s
rule_files:
- /etc/tribune-rules/*.yml
alerting:
  alertmanagers:
  - static_configs:
    - targets: ['alertmanager:9093']
scrape_configs:
- job_name: tribune
  static_configs:
  - targets: ['localhost:9190']
- job_name: haproxy
  static_configs:
  - targets: ['haproxy:8405']
- job_name: acgs
  static_configs:
"""
    for port, name in services:
        for env in ["blue", "green"]:
            text += f"  - targets: ['{name}-{env}:{port}']\n    labels: {{service: {name}, env: {env}}}\n"
    return text


files = {
    here / "compose.yml": compose(),
    here / "haproxy" / "haproxy.cfg": haproxy(),
    here / "tribune" / "prometheus.yml": prometheus(),
}
different = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
if "--check" in sys.argv[1:]:
    for path in different:
        print(f"{path.relative_to(here)} differs from rules/plans/acgs.yml: run packaging/compose/generate.py")
    sys.exit(1 if different else 0)
for path in different:
    path.write_text(files[path])
    print(f"wrote {path.relative_to(here)}")
