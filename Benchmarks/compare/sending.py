"""Remote write to a server that takes everything: the cost of sending for each server, in addition to scraping."""

import os
import sys

from processes import Process, free_port, get
from rules import cpu_over, reload

SINK = """
import http.server, sys, threading

# A server for each sender, told apart by path; counts requests and bytes.
counts = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        self.rfile.read(length)
        requests, size = counts.get(self.path, (0, 0))
        counts[self.path] = (requests + 1, size + length)
        self.send_response(204)
        self.end_headers()

    def do_GET(self):
        body = " ".join(f"{path}={value[0]}/{value[1]}" for path, value in sorted(counts.items())).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def measure_sending(servers, configuration, directory, settings):
    """Cores without and with sending, and the CPU seconds that a million sent samples cost, for each server."""
    seconds = settings.minutes * 60
    port = free_port()
    with Process("sink", [sys.executable, "-c", SINK, str(port)], os.path.join(directory, "sink.log")):
        without = cpu_over(servers, seconds)
        with open(configuration, "a") as file:
            file.write(f"remote_write: [{{url: 'http://127.0.0.1:{port}/write', name: sink}}]\n")
        reload(servers)
        # The first requests encode the labels of all series.
        cpu_over(servers, 4 * settings.interval)
        before = [sent(server) for server in servers]
        having = cpu_over(servers, seconds)
        rates = [(sent(server) - early) / seconds for server, early in zip(servers, before)]
    expected = settings.targets * settings.series / settings.interval
    for server, rate in zip(servers, rates):
        if rate < 0.8 * expected:
            raise RuntimeError(f"{server.name} sent {rate:.0f} samples a second, not {expected:.0f}")
    costs = [(late - early) / rate * 1e6 for early, late, rate in zip(without, having, rates)]
    return without, having, rates, costs


def sent(server):
    """Samples that the server has delivered, from its own metrics."""
    name = "prometheus_remote_storage_samples_total{"
    lines = get(server.port, "/metrics")[1].decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))
