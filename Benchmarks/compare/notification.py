#!/usr/bin/env python3
"""Measures notification beside Alertmanager: many firing alerts in many groups to many receivers.

Both get the same alertmanager.yml and the same posts, one after the other. Printed are how long after group_wait the first
message of each group comes, and the CPU time of each process. The receivers run in this script, whose CPU time is not
counted.

    swift build -c release --product tribune
    python3 Benchmarks/compare/notification.py --tribune .build/release/tribune
"""
import argparse
import asyncio
import json
import os
import platform
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Receivers:
    """An HTTP server that notes when the first message of each group came, and how many came."""

    def __init__(self):
        self.first = {}
        self.count = 0

    async def serve(self):
        self.server = await asyncio.start_server(self.handle, "127.0.0.1", 0, backlog=4096)
        self.port = self.server.sockets[0].getsockname()[1]

    async def handle(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                at = time.monotonic()
                length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                self.count += 1
                start = body.index(b'"groupLabels":{"alertname":"') + 28
                self.first.setdefault(body[start:body.index(b'"', start)].decode(), at)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            # The notifier or this script has ended.
            pass
        finally:
            writer.close()


def configuration(options, port):
    routes = [{"receiver": f"r{n}", "matchers": [f"receiver=r{n}"]} for n in range(options.receivers)]
    receivers = [
        {"name": f"r{n}", "webhook_configs": [{"url": f"http://127.0.0.1:{port}/r{n}"}]} for n in range(options.receivers)
    ]
    return json.dumps({
        "route": {
            "receiver": "r0", "group_by": ["alertname"], "group_wait": f"{options.wait}s", "group_interval": "10s",
            "repeat_interval": "1h", "routes": routes,
        },
        "receivers": receivers,
    })


def batches(options):
    """Lists of alerts, each with whole groups."""
    per_group = options.alerts // options.groups
    batch = []
    for group in range(options.groups):
        for number in range(per_group):
            batch.append({
                "labels": {
                    "alertname": f"Alert{group}", "instance": f"host-{number}:9100", "receiver": f"r{group % options.receivers}",
                    "severity": "page", "job": "node", "cluster": "eu-1",
                },
                "annotations": {"summary": f"Alert{group} on host-{number}", "runbook": "https://runbooks.example/a"},
                "generatorURL": "http://prometheus.example/graph?g0.expr=up+%3D%3D+0",
            })
        if len(batch) >= 250 or group == options.groups - 1:
            yield batch
            batch = []


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS"))


def start(name, options, directory, receiver_port):
    port = free_port()
    with open(f"{directory}/alertmanager.yml", "w") as file:
        file.write(configuration(options, receiver_port))
    if name == "alertmanager":
        command = [
            "prometheus-alertmanager", f"--config.file={directory}/alertmanager.yml", f"--storage.path={directory}/data",
            f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=error",
        ]
    else:
        with open(f"{directory}/tribune.yml", "w") as file:
            file.write("prometheus_config: prometheus.yml\nalertmanager_config: alertmanager.yml\n")
        with open(f"{directory}/prometheus.yml", "w") as file:
            file.write("scrape_configs: []\n")
        command = [
            options.tribune, "serve", f"--config.file={directory}/tribune.yml", f"--storage.path={directory}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
    log = open(f"{directory}/log", "w")
    environment = dict(os.environ, TRIBUNE_RUNTIME_DIR=directory)
    process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    url = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{url}/-/ready", timeout=5).close()
            return process, url
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{name} does not start:\n" + open(f"{directory}/log").read())


def post(url, batch):
    request = urllib.request.Request(
        f"{url}/api/v2/alerts", json.dumps(batch).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=60).close()


async def measure(name, options):
    receivers = Receivers()
    await receivers.serve()
    directory = tempfile.mkdtemp()
    process, url = await asyncio.to_thread(start, name, options, directory, receivers.port)
    try:
        idle = cpu_seconds(process.pid)
        posted = {}
        began = time.monotonic()
        for round_number in range(options.rounds):
            for batch in batches(options):
                at = time.monotonic()
                await asyncio.to_thread(post, url, batch)
                if round_number == 0:
                    for alert in batch:
                        posted.setdefault(alert["labels"]["alertname"], at)
            if round_number == 0:
                while len(receivers.first) < options.groups and time.monotonic() - began < 120:
                    await asyncio.sleep(0.05)
                first_cpu = cpu_seconds(process.pid) - idle
            await asyncio.sleep(max(0, began + (round_number + 1) * options.period - time.monotonic()))
        delays = sorted(receivers.first[group] - at - options.wait for group, at in posted.items() if group in receivers.first)
        result = {
            "name": name, "groups": len(delays), "messages": receivers.count,
            "p50": delays[len(delays) // 2], "p99": delays[int(len(delays) * 0.99)], "most": delays[-1],
            "first cpu": first_cpu, "cpu": cpu_seconds(process.pid) - idle, "memory": memory_mib(process.pid),
        }
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(directory)
        receivers.server.close()
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tribune", default=".build/release/tribune", help="the program that is measured")
    parser.add_argument("--alerts", type=int, default=10_000)
    parser.add_argument("--groups", type=int, default=1000)
    parser.add_argument("--receivers", type=int, default=20)
    parser.add_argument("--wait", type=int, default=5, help="group_wait in seconds")
    parser.add_argument("--rounds", type=int, default=4, help="how often all alerts are sent")
    parser.add_argument("--period", type=int, default=15, help="seconds between two rounds")
    options = parser.parse_args()
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown")
    print(f"{os.cpu_count()} CPUs ({model}), Linux {platform.release()}, load {os.getloadavg()[0]:.1f}")
    print(
        f"{options.alerts} alerts in {options.groups} groups to {options.receivers} receivers, group_wait {options.wait} s, "
        f"sent {options.rounds} times, every {options.period} s")
    results = [asyncio.run(measure(name, options)) for name in ("alertmanager", "tribune")]
    for result in results:
        print(
            f"{result['name']:13} {result['groups']} groups, {result['messages']} messages; first message after group_wait: "
            f"p50 {result['p50']:.3f} s, p99 {result['p99']:.3f} s, most {result['most']:.3f} s; CPU {result['first cpu']:.2f} s "
            f"to the first messages, {result['cpu']:.2f} s in all; {result['memory']:.0f} MiB")
    print(f"CPU of Tribune / Alertmanager: {results[1]['cpu'] / results[0]['cpu']:.2f}")


if __name__ == "__main__":
    main()
