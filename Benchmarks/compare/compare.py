"""Tribune, Prometheus and VictoriaMetrics against the same synthetic fleet, at the same time."""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time

from memory import measure_memory
from processes import Process, Server, busy_seconds, free_port, get, machine
from queries import measure_first_queries, measure_queries
from rules import measure_rules
from sending import measure_sending
from sustained import measure_sustained

def options():
    parser = argparse.ArgumentParser(
        prog="Benchmarks/compare/run", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--targets", type=int, default=50, help="targets of the fleet")
    parser.add_argument("--series", type=int, default=2000, help="series of each target, a multiple of 20")
    parser.add_argument("--interval", type=int, default=5, help="seconds between scrapes")
    parser.add_argument("--minutes", type=float, default=2, help="how long to measure, after the warm-up")
    parser.add_argument("--repetitions", type=int, default=15, help="how often each query is timed; 0 leaves them out")
    parser.add_argument("--rules", type=int, default=0, help="also measure so many rules, on Tribune and Prometheus")
    parser.add_argument("--memory", action="store_true", help="also measure the memory of a large range query on both")
    parser.add_argument("--sending", action="store_true", help="also measure remote write, of Tribune and Prometheus")
    parser.add_argument("--without-victoria-metrics", action="store_true", help="leave VictoriaMetrics out")
    parser.add_argument(
        "--sustained", action="store_true",
        help="run Tribune alone, and print its memory and missed scrapes every minute; the interval has to divide 60",
    )
    parser.add_argument("--client", help="the QueryClient program")
    parser.add_argument("--tribune", help="the program; built when --tribune and --fleet are not given")
    parser.add_argument("--fleet", help="the SyntheticFleet program")
    return parser.parse_args()


def write_configuration(path, fleet_port, targets, interval):
    with open(path, "w") as file:
        file.write(f"global:\n  scrape_interval: {interval}s\n  scrape_timeout: {interval}s\n")
        file.write(f"  evaluation_interval: {interval}s\n")
        file.write("scrape_configs:\n  - job_name: fleet\n    static_configs:\n")
        for number in range(targets):
            file.write(f"      - targets: ['127.0.0.1:{fleet_port}']\n")
            file.write(f"        labels: {{__metrics_path__: /{number}, instance: target-{number}}}\n")


def servers(tribune, configuration, directory):
    """The three, none started: (name, part of its user agent, arguments)."""
    ports = [free_port() for _ in range(3)]
    data = [os.path.join(directory, name) for name in ("tribune", "prometheus", "victoria-metrics")]
    arguments = [
        [
            tribune, "serve", f"--config.file={configuration}", f"--storage.path={data[0]}",
            f"--web.listen-address=127.0.0.1:{ports[0]}", "--web.enable-remote-write-receiver",
        ],
        [
            "prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={data[1]}",
            f"--web.listen-address=127.0.0.1:{ports[1]}", "--web.enable-remote-write-receiver",
        ],
        [
            "victoria-metrics", f"-promscrape.config={configuration}",
            # The rivals' file has an evaluation interval, which it does not know.
            "-promscrape.config.strictParse=false", f"-storageDataPath={data[2]}",
            f"-httpListenAddr=127.0.0.1:{ports[2]}",
            # It refuses to count more than 300,000 series otherwise.
            "-search.maxUniqueTimeseries=2000000",
        ],
    ]  # fmt: skip
    names = [("Tribune", "tribune"), ("Prometheus", "prometheus"), ("VictoriaMetrics", "vm_promscrape")]
    return [
        Server(name, agent, arguments[index], ports[index], data[index] + ".log")
        for index, (name, agent) in enumerate(names)
    ]


class Fleet:
    """The scraped process and its statistics about scrapes."""

    def __init__(self, process):
        self.process = process
        deadline = time.monotonic() + 30
        while not self._first_line():
            process.ensure_running()
            if time.monotonic() > deadline:
                raise RuntimeError("the fleet does not say its port")
            time.sleep(0.02)
        self.port = int(self._first_line())

    def _first_line(self):
        with open(self.process.log) as log:
            line = log.readline()
        return line if line.endswith("\n") else ""

    def scrapes(self, agent):
        lines = get(self.port, "/scrapes")[1].decode().splitlines()
        return sum(int(line.split()[0]) for line in lines if agent in line.split(" ", 1)[1].lower())

    def wait_for_rounds(self, servers, rounds, targets):
        deadline = time.monotonic() + 300
        while any(self.scrapes(server.agent) < rounds * targets for server in servers):
            for server in servers:
                server.ensure_running()
            if time.monotonic() > deadline:
                raise RuntimeError("the servers do not scrape: " + get(self.port, "/scrapes")[1].decode())
            time.sleep(0.5)


def reading(server, fleet):
    return server.cpu_seconds(), server.written_bytes(), fleet.scrapes(server.agent)


def measure_scraping(all_servers, fleet, settings):
    """For each server: CPU seconds per million samples, resident bytes per series, bytes written per sample, scrapes."""
    fleet.wait_for_rounds(all_servers, 4, settings.targets)
    before = [reading(server, fleet) for server in all_servers]
    begin, busy = time.monotonic(), busy_seconds()
    time.sleep(settings.minutes * 60)
    after = [reading(server, fleet) for server in all_servers]
    seconds, busy = time.monotonic() - begin, busy_seconds() - busy
    own = sum(late[0] - early[0] for early, late in zip(before, after))
    others = (busy - own) / seconds
    print(f"\nMeasured for {seconds:.0f} s. All else on the machine, the fleet included, used {others:.2f} cores.")
    rows = []
    for server, early, late in zip(all_servers, before, after):
        scrapes = late[2] - early[2]
        samples = scrapes * settings.series
        expected = seconds / settings.interval * settings.targets
        if abs(scrapes - expected) > 2 * settings.targets:
            print(f"Note: {server.name} made {scrapes} scrapes where {expected:.0f} were due.")
        rows.append(
            (
                (late[0] - early[0]) / samples * 1e6,
                server.resident_bytes() / (settings.targets * settings.series),
                (late[1] - early[1]) / samples,
                scrapes,
            )
        )
    return rows


def check_samples(all_servers, settings):
    """Checks that every server has all series."""
    for server in all_servers:
        stored = server.series('count({job="fleet",service!=""})')
        count = float(stored[0]["value"][1]) if stored else 0
        down = server.series('count(min_over_time(up{job="fleet"}[1m]) == 0)')
        if count != settings.targets * settings.series or down:
            raise RuntimeError(f"{server.name} has {count:.0f} series, and targets that were down: {down}")


def table(title, all_servers, rows, form="{:.2f}"):
    titles = [title] + [server.name for server in all_servers] + [f"to {server.name}" for server in all_servers[1:]]
    print("\n| " + " | ".join(titles) + " |")
    print("|---" * len(titles) + "|")
    for name, values in rows:
        ratios = [f"1/{rival / values[0]:.1f}" if values[0] > 0 else "–" for rival in values[1:]]
        print(f"| {name} | " + " | ".join([form.format(value) for value in values] + ratios) + " |", flush=True)


def run(settings, directory):
    with contextlib.ExitStack() as running:
        fleet_arguments = [settings.fleet, str(settings.targets), str(settings.series)]
        fleet = Fleet(running.enter_context(Process("fleet", fleet_arguments, os.path.join(directory, "fleet.log"))))
        configuration = os.path.join(directory, "prometheus.yml")
        write_configuration(configuration, fleet.port, settings.targets, settings.interval)
        all_servers = servers(settings.tribune, configuration, directory)
        if settings.sustained:
            all_servers = all_servers[:1]
        elif settings.without_victoria_metrics:
            all_servers.pop()
        for server in all_servers:
            running.enter_context(server)
        for server in all_servers:
            server.wait_until_ready()
        body = get(fleet.port, "/0")[1]
        print(f"{settings.targets} targets × {settings.series} series, {len(body) / settings.series:.0f} bytes a line,")
        print(f"scraped every {settings.interval} s by all servers at the same time.", flush=True)
        if settings.sustained:
            return measure_sustained(all_servers[0], fleet, settings)

        scraping = measure_scraping(all_servers, fleet, settings)
        check_samples(all_servers, settings)
        titles = ["CPU s per million samples", "resident bytes per series", "bytes written per sample"]
        table("scraping", all_servers, [(title, [row[i] for row in scraping]) for i, title in enumerate(titles)])
        if settings.repetitions > 0:
            table("query p50, ms", all_servers, measure_queries(all_servers, settings.client, settings.repetitions, settings.interval))
            first = measure_first_queries(all_servers, settings.client, settings.repetitions)
            table("new query, p50, ms", all_servers, first)
        if settings.rules > 0:
            rules = os.path.join(directory, "rules.yml")
            cores = measure_rules(all_servers[:2], configuration, rules, settings)
            names = ["cores without rules", f"cores with {settings.rules} rules", "the rules alone"]
            table("rules", all_servers[:2], list(zip(names, cores)), "{:.3f}")
        if settings.sending:
            figures = measure_sending(all_servers[:2], configuration, directory, settings)
            names = ["cores without sending", "cores with sending", "samples sent per second", "CPU s per million samples sent"]
            table("remote write", all_servers[:2], list(zip(names, figures)), "{:.3f}")
        restarts = [server.restart_after_kill() for server in all_servers]
        check_samples(all_servers, settings)
        table("restart", all_servers, [("s from start to ready after SIGKILL", restarts)], "{:.3f}")


def run_memory(settings, directory):
    """Servers of their own: Prometheus takes no samples that are older than those it has."""
    with contextlib.ExitStack() as running:
        configuration = os.path.join(directory, "empty.yml")
        with open(configuration, "w") as file:
            file.write("global: {scrape_interval: 15s}\n")
        both = servers(settings.tribune, configuration, os.path.join(directory, "memory"))[:2]
        for server in both:
            running.enter_context(server)
        for server in both:
            server.wait_until_ready()
        table("additional peak memory, MiB", both, measure_memory(both), "{:.1f}")


def main():
    settings = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(machine())
    packages = ["prometheus"] + ([] if settings.without_victoria_metrics else ["victoria-metrics"])
    if not settings.sustained:
        print(subprocess.check_output(["dpkg-query", "-W", *packages], text=True), end="")
    with tempfile.TemporaryDirectory(prefix="tribune-compare-") as directory:
        run(settings, directory)
        if settings.memory:
            os.mkdir(os.path.join(directory, "memory"))
            run_memory(settings, directory)


main()
