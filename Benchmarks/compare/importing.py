"""An OpenMetrics dump is imported into Tribune and, by promtool, into Prometheus; both answer the same queries.

Prints the machine, the time of both imports with ratios, and the number of equal answers. `python3 importing.py --help`.
"""

import argparse
import http.client
import json
import math
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import urllib.parse

from processes import Server, free_port, machine

START = 1_700_000_000
STEP = 15


def write_dump(path, megabytes, targets):
    """Series by series, as a dump of Prometheus has them: counters, gauges and histogram buckets of several targets."""
    generator = random.Random(7)
    limit = megabytes * 1_000_000
    rows = 2 * 24 * 3600 // STEP
    size = samples = series = 0
    with open(path, "w", buffering=1 << 20) as file:
        metric = 0
        while size < limit:
            name = ["http_requests_total", "queue_length", "latency_seconds_bucket"][metric % 3]
            for target in range(targets):
                if size >= limit:
                    break
                labels = f'{{handler="/api/v1/items/{metric}",instance="10.0.0.{target}:9100",job="shop",service="orders"'
                labels += f',le="{metric // 3 % 10 / 10}"}}' if metric % 3 == 2 else "}"
                value = generator.randrange(1000)
                lines = []
                for row in range(rows):
                    if metric % 3 == 1:
                        value = max(0, value + generator.randrange(-5, 6))
                    elif generator.random() < 0.0001:
                        value = 0
                    else:
                        value += generator.randrange(20)
                    lines.append(f"{name}{labels} {value} {START + row * STEP}.{(target * 37 + 11) % 1000:03}\n")
                text = "".join(lines)
                file.write(text)
                size, samples, series = size + len(text), samples + rows, series + 1
            metric += 1
        file.write("# EOF\n")
    return size, samples, series, metric


def queries(metrics, targets):
    """Two hundred queries of eight shapes.

    No sample is exactly at the start of a range: Prometheus 2 counts it, Prometheus 3 and Tribune do not.
    """
    generator = random.Random(8)
    found = []
    for _ in range(200):
        first = generator.randrange(metrics // 3) * 3
        requests, queue = (f'handler="/api/v1/items/{number}"' for number in (first, first + 1))
        target = f'instance="10.0.0.{generator.randrange(targets)}:9100"'
        window = generator.choice(["5m", "30m", "2h"])
        found.append(generator.choice([
            f"sum(rate(http_requests_total{{{target}}}[{window}]))",
            f"sum by (instance) (increase(http_requests_total[{window}]))",
            f"queue_length{{{queue}}}",
            f"max_over_time(queue_length{{{target}}}[{window}])",
            f"histogram_quantile(0.9, sum by (le) (rate(latency_seconds_bucket{{{target}}}[{window}])))",
            f"avg by (handler) (avg_over_time(queue_length[{window}]))",
            f"count(http_requests_total{{{target}}} offset {window})",
            f"resets(http_requests_total{{{requests}}}[{window}])",
        ]))
    return found


def ask(port, expression, index):
    start = START + index * 600
    parameters = {"query": expression, "start": start, "end": start + 7200, "step": 113}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request("GET", "/api/v1/query_range?" + urllib.parse.urlencode(parameters))
    answer = json.loads(connection.getresponse().read())
    connection.close()
    if answer["status"] != "success":
        raise RuntimeError(f"{expression}: {answer}")
    return {json.dumps(each["metric"], sort_keys=True): each["values"] for each in answer["data"]["result"]}


def are_equal(left, right):
    """The same series, times and values; sums may differ in their last digits, because their order is not fixed."""
    if left.keys() != right.keys():
        return False
    for key in left:
        if [time for time, _ in left[key]] != [time for time, _ in right[key]]:
            return False
        for (_, a), (_, b) in zip(left[key], right[key]):
            if a != b and not math.isclose(float(a), float(b), rel_tol=1e-12):
                return False
    return True


def timed(arguments):
    """Seconds of wall clock and of CPU that a program needs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    result = subprocess.run(arguments, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if result.returncode != 0:
        raise RuntimeError(f"{arguments}: {result.stdout}{result.stderr}")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def bytes_of(directory):
    return sum(os.path.getsize(os.path.join(path, name)) for path, _, names in os.walk(directory) for name in names)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tribune", required=True, help="a release build")
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--targets", type=int, default=20)
    settings = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as directory:
        dump, data, blocks = (os.path.join(directory, name) for name in ("dump.txt", "data", "blocks"))
        size, samples, series, metrics = write_dump(dump, settings.megabytes, settings.targets)
        print(f"{size / 1e6:.0f} MB, {samples} samples of {series} series")
        own = timed([settings.tribune, "import", "openmetrics", dump, f"--storage.path={data}"])
        with open(dump, "rb") as file:
            begin = time.monotonic()
            subprocess.run(
                [settings.tribune, "import", "openmetrics", "-", f"--storage.path={data}-2"], stdin=file, check=True,
                capture_output=True)
            streamed = time.monotonic() - begin
        other = timed(["promtool", "tsdb", "create-blocks-from", "openmetrics", dump, blocks])
        print("| | Tribune | promtool | ratio |\n|---|---|---|---|")
        for name, mine, its in [
            ("s", own[0], other[0]), ("CPU s", own[1], other[1]),
            ("million samples per s", samples / own[0] / 1e6, samples / other[0] / 1e6),
            ("bytes per sample on disk", bytes_of(data) / samples, bytes_of(blocks) / samples),
        ]:
            print(f"| {name} | {mine:.2f} | {its:.2f} | 1/{its / mine:.1f} |")
        print(f"from standard input, without the check before: {samples / streamed / 1e6:.2f} million samples per s")
        ports = free_port(), free_port()
        configuration = os.path.join(directory, "prometheus.yml")
        with open(configuration, "w") as file:
            file.write("scrape_configs: []\n")
        tribune = Server("tribune", "", [
            settings.tribune, "serve", f"--config.file={configuration}", f"--storage.path={data}",
            "--storage.retention.time=100y", f"--web.listen-address=127.0.0.1:{ports[0]}",
        ], ports[0], os.path.join(directory, "tribune.log"))
        prometheus = Server("prometheus", "", [
            "prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={blocks}",
            "--storage.tsdb.retention.time=100y", f"--web.listen-address=127.0.0.1:{ports[1]}",
        ], ports[1], os.path.join(directory, "prometheus.log"))
        with tribune, prometheus:
            tribune.wait_until_ready()
            prometheus.wait_until_ready()
            equal = filled = 0
            for index, expression in enumerate(queries(metrics, settings.targets)):
                left, right = (ask(port, expression, index) for port in ports)
                filled += bool(right)
                if are_equal(left, right):
                    equal += 1
                else:
                    print(f"different: {expression}", file=sys.stderr)
        print(f"{equal} of 200 queries have equal answers, {filled} of them with samples")
        return 0 if equal == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
