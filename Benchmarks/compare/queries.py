"""How long queries take, asked by a client that costs little itself."""

import subprocess
import urllib.parse

SELECTION = 'http_request_handled_total{instance="target-0",handler="/api/v1/resources/0/items",code="200"}'
RATE = "sum by (service) (rate(http_request_handled_total[1m]))"
ERRORS = 'sum by (service) (rate(http_request_handled_total{code="500"}[1m])) / ' + RATE
P99 = "histogram_quantile(0.99, sum by (service, le) (rate(http_request_duration_seconds_bucket[1m])))"
QUERIES = [
    ("one series", SELECTION),
    ("requests per second by service", RATE),
    ("share of errors by service", ERRORS),
    ("p99 by service", P99),
    ("busiest ten", "topk(10, rate(http_request_handled_total[1m]))"),
    ("average of a gauge by zone", "avg by (zone) (http_request_concurrency_average)"),
]
BUCKETS = "http_request_duration_seconds_bucket"
HANDLED = "http_request_handled_total"
# Asked for the first time, these have to look at the labels of every series.
OF_MANY_SERIES = [
    ("p99 of each series, counted", f"count(histogram_quantile(0.99, rate({BUCKETS}[1m])))"),
    ("ratio of each series, counted", f"count(rate({HANDLED}[1m]) / rate({HANDLED}[1m]))"),
    ("buckets unless small, counted", f"count({BUCKETS} unless {BUCKETS} < 1e9)"),
    ("label replaced, counted", f'count(label_replace({BUCKETS}, "x", "$1", "instance", "target-(.*)"))'),
    ("buckets of each series", f"rate({BUCKETS}[1m])"),
]


def ask(client, port, path, repetitions):
    """Bytes of the answer, and median and least milliseconds."""
    output = subprocess.run(
        [client, str(port), str(repetitions)], input=path + "\n", capture_output=True, text=True, check=False
    ).stdout
    fields = output.split()
    if not fields or fields[0] != "200":
        raise RuntimeError(f"{path}: {output}")
    return int(fields[1]), int(fields[2]) / 1000, int(fields[3]) / 1000


def measure_queries(all_servers, client, repetitions, interval):
    """Median milliseconds of each query as instant and as range query, for each server."""
    rows = []
    # The cost of a request without a computation.
    rows.append(("1, instant", [ask(client, each.port, "/api/v1/query?query=1", repetitions)[1] for each in all_servers]))
    for kind in ("instant", "range"):
        for name, expression in QUERIES:
            path = "/api/v1/query?" if kind == "instant" else "/api/v1/query_range?"
            path += urllib.parse.urlencode({"query": expression})
            window = {}
            if kind == "range":
                path += f"&start={{now-120}}&end={{now}}&step={interval}"
            medians, sizes = [], []
            for server in all_servers:
                if kind == "range":
                    window = server.last_minutes(2, interval)
                sizes.append(len(server.series(expression, **window)))
                medians.append(ask(client, server.port, path, repetitions)[1])
            # topk over a range lists every series that was among the ten at any step, which depends on when each server scraped.
            if len(set(sizes[:2])) > 1 and not expression.startswith("topk"):
                raise RuntimeError(f"{name} ({kind}): series per server: {sizes}")
            rows.append((f"{name}, {kind}", medians))
    return rows


def measure_first_queries(all_servers, client, repetitions):
    """Median milliseconds of instant queries with a text that no server has seen."""
    rows = []
    for name, expression in QUERIES + OF_MANY_SERIES:
        path = "/api/v1/query?query=" + urllib.parse.quote(f"({expression}) + 0 * ") + "{again}"
        rows.append((name, [ask(client, each.port, path, repetitions)[1] for each in all_servers]))
    return rows
