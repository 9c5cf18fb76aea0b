#!/usr/bin/env python3
"""10,000 discovered targets, of which 1 % are replaced every minute: Tribune and Debian's Prometheus, side by side.

    python3 Benchmarks/compare/discovery.py --tribune .build/release/tribune

Both servers read one file of targets (file_sd, replaced by rename) and scrape one nginx, whose access log tells when each of
them asked for which target. Printed for each server: CPU seconds, and the time from the rename to the first scrape of a new
target and to the last one of a removed target. A target is scraped at its own moment within the interval, so that the first scrape
of a new one may be due up to an interval later; the benchmark also prints the part of the time that is beyond the interval.
The first intervals, in which every target is new, are not measured.
"""

import argparse
import json
import os
import random
import statistics
import tempfile
import time

import processes

BODY = "".join(f'# TYPE m{i} gauge\\nm{i}{{code="{i}",path="/x"}} {i}\\n' for i in range(5))


def write(path, targets, address):
    groups = [{"targets": [address], "labels": {"__metrics_path__": f"/t/{n}", "n": str(n)}} for n in targets]
    with open(path + ".new", "w") as file:
        json.dump(groups, file)
    os.rename(path + ".new", path)


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


class Churn:
    """The file of targets, with the moments at which some were added and others removed."""

    def __init__(self, path, count, address):
        self.path, self.address, self.next = path, address, count
        self.targets = list(range(count))
        self.added, self.removed = {}, {}
        self.random = random.Random(1)
        write(path, self.targets, address)

    def replace(self, count):
        for place in self.random.sample(range(len(self.targets)), count):
            self.removed[self.targets[place]] = None
            self.targets[place] = self.next
            self.added[self.next] = None
            self.next += 1
        write(self.path, self.targets, self.address)
        now = time.time()
        for changes in (self.added, self.removed):
            for number, moment in changes.items():
                if moment is None:
                    changes[number] = now


def scrapes(log):
    """The first and the last scrape of each target, by user agent."""
    first, last, count = {}, {}, {}
    with open(log, errors="replace") as lines:
        for line in lines:
            moment, path, agent = line.rstrip("\n").split(" ", 2)
            if not path.startswith("/t/"):
                continue
            key = ("Prometheus" if agent.startswith("Prometheus") else "Tribune", int(path[3:]))
            moment = float(moment)
            first.setdefault(key, moment)
            last[key] = moment
            count[key[0]] = count.get(key[0], 0) + 1
    return first, last, count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tribune", required=True)
    parser.add_argument("--targets", type=int, default=10_000)
    parser.add_argument("--interval", type=int, default=15, help="seconds")
    parser.add_argument("--churn", type=float, default=1, help="percent of the targets per minute")
    parser.add_argument("--minutes", type=float, default=4)
    settings = parser.parse_args()
    print(f"{processes.machine()}, load {os.getloadavg()[0]:.1f}\n{settings.targets} targets of 5 series every {settings.interval} s, "
          f"{settings.churn} % replaced a minute, {settings.minutes} minutes\n", flush=True)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        port = processes.free_port()
        log = f"{folder}/access.log"
        with open(f"{folder}/nginx.conf", "w") as file:
            file.write(f"""daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 16000; }}
http {{ log_format times '$msec $uri $http_user_agent'; access_log {log} times;
  keepalive_requests 1000000; keepalive_timeout 300s; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port} backlog=8192; location /t/ {{ default_type 'text/plain; version=0.0.4'; return 200 '{BODY}'; }} }} }}
""")
        churn = Churn(f"{folder}/targets.json", settings.targets, f"127.0.0.1:{port}")
        with open(f"{folder}/prometheus.yml", "w") as file:
            file.write(f"""global: {{scrape_interval: {settings.interval}s}}
scrape_configs:
- job_name: fleet
  file_sd_configs: [{{files: [targets.json]}}]
""")
        def server(name, arguments):
            own = processes.free_port()
            flags = [f"--config.file={folder}/prometheus.yml", f"--web.listen-address=127.0.0.1:{own}"]
            return processes.Server(name, name, arguments + flags, own, f"{folder}/{name}.log")

        nginx = processes.Process("nginx", ["/usr/sbin/nginx", "-p", folder, "-c", f"{folder}/nginx.conf"], f"{folder}/out.log")
        tribune = server("Tribune", [settings.tribune, "serve", f"--storage.path={folder}/ours"])
        prometheus = server("Prometheus", ["/usr/bin/prometheus", f"--storage.tsdb.path={folder}/theirs"])
        with nginx, tribune, prometheus:
            servers = (tribune, prometheus)
            for one in servers:
                one.wait_until_ready()
            time.sleep(3 * settings.interval)
            for one in servers:
                read = one.series("sum(scrape_samples_scraped)")
                if not read or float(read[0]["value"][1]) != 5 * settings.targets:
                    raise RuntimeError(f"{one.name} has {read} of {5 * settings.targets} series")
            before = [one.cpu_seconds() for one in servers]
            counts = scrapes(log)[2]
            begin = time.time()
            step = max(1, round(settings.targets * settings.churn / 100 / 10))
            moments = int(settings.minutes * 10)
            for moment in range(1, moments + 1):
                churn.replace(step)
                time.sleep(max(0, begin + 6 * moment - time.time()))
            time.sleep(2 * settings.interval)
            after = [one.cpu_seconds() for one in servers]
            seconds = time.time() - begin
            resident = [one.resident_bytes() for one in servers]
        first, last, total = scrapes(log)
    print("| server | CPU s per minute | CPU µs per scrape | resident MiB | new target scraped, s: p50 / p99 / most | beyond the interval, s: most | never | removed target's last scrape, s: p99 / most |")
    print("|---|---|---|---|---|---|---|---|")
    for one, start, end, size in zip(servers, before, after, resident):
        name = one.name
        waits = [first[name, n] - moment for n, moment in churn.added.items() if (name, n) in first]
        never = [n for n in churn.added if (name, n) not in first and n not in churn.removed]
        ends = [last[name, n] - moment for n, moment in churn.removed.items() if (name, n) in last]
        done = total[name] - counts[name]
        print(f"| {name} | {(end - start) / seconds * 60:.2f} | {(end - start) / done * 1e6:.0f} | {size / 2**20:.0f} | "
              f"{statistics.median(waits):.1f} / {quantile(waits, 0.99):.1f} / {max(waits):.1f} | {max(0, max(waits) - settings.interval):.1f} | "
              f"{len(never)} | {quantile(ends, 0.99):.1f} / {max(ends):.1f} |", flush=True)  # fmt: skip
    print(f"\nTribune uses {(after[0] - before[0]) / (after[1] - before[1]):.2f} of Prometheus's CPU time.")


if __name__ == "__main__":
    main()
