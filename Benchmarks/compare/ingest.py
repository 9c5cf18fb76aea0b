"""Remote write of the same bodies to Tribune, Prometheus and VictoriaMetrics: CPU seconds per million samples.

python3 Benchmarks/compare/ingest.py --tribune .build/release/tribune [--series 2000] [--days 1]

Two shapes of requests of version 1, as both rivals take it: scrapes (a sample of each of 2,000 series) and histories (500
samples of each of 20 series). Needs python3-snappy. The servers run one after the other, so that they do not slow each
other down.
"""

import argparse
import http.client
import os
import random
import struct
import tempfile
import time

import snappy

from processes import Server, free_port, get, machine


def varint(number):
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


class Fleet:
    """Series of 20 targets: three quarters counters, a quarter gauges with one decimal."""

    def __init__(self, count, start):
        self.start = start
        self.random = random.Random(1)
        self.values = [50.0 if series % 4 == 3 else series * 1000.0 for series in range(count)]
        self.labels = [self._labels(series, count // 20) for series in range(count)]

    @staticmethod
    def _labels(series, per_target):
        target = series // per_target
        labels = {
            "__name__": f"http_server_requests_seconds_count_{series % 25}", "cluster": "production-eu-west-1",
            "instance": f"10.20.{target}.17:9090", "job": "payments-api", "method": ["GET", "POST"][series % 2],
            "namespace": "payments", "pod": f"payments-api-7d9c5b8f4d-{target}", "route": f"/v1/orders/{series % per_target}",
            "status": str(200 + series % 4),
        }  # fmt: skip
        return b"".join(field(1, field(1, name.encode()) + field(2, value.encode())) for name, value in labels.items())

    def body(self, series, first, count):
        parts = []
        for number in series:
            samples = []
            for step in range(first, first + count):
                moved = self.random.randrange(30)
                self.values[number] += (moved % 7 - 3) / 10 if number % 4 == 3 else moved
                value = round(self.values[number], 1)
                samples.append(field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(self.start + step * 30_000)))
            parts.append(field(1, self.labels[number] + b"".join(samples)))
        return snappy.compress(b"".join(parts))


def servers(tribune, directory):
    configuration = os.path.join(directory, "prometheus.yml")
    with open(configuration, "w") as file:
        file.write("global: {scrape_interval: 1h}\n")
    data = {name: os.path.join(directory, name) for name in ("tribune", "prometheus", "victoria-metrics")}
    port = free_port()
    yield Server(
        "Tribune", "", [
            tribune, "serve", f"--config.file={configuration}", f"--storage.path={data['tribune']}",
            f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver",
        ], port, data["tribune"] + ".log",
    )  # fmt: skip
    port = free_port()
    yield Server(
        "Prometheus", "", [
            "prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={data['prometheus']}",
            f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver",
        ], port, data["prometheus"] + ".log",
    )  # fmt: skip
    port = free_port()
    yield Server(
        "VictoriaMetrics", "", [
            "victoria-metrics", f"-storageDataPath={data['victoria-metrics']}", f"-httpListenAddr=127.0.0.1:{port}",
        ], port, data["victoria-metrics"] + ".log",
    )  # fmt: skip


def bodies(shape, settings):
    """Requests and their numbers of samples. Histories follow each other, a day of each series."""
    rows = settings.days * 2880
    fleet = Fleet(settings.series, int(time.time() * 1000) - rows * 30_000)
    if shape == "scrapes":
        for row in range(rows):
            yield fleet.body(range(settings.series), row, 1), settings.series
    else:
        for first in range(0, rows, 500):
            count = min(500, rows - first)
            for series in range(0, settings.series, 20):
                yield fleet.body(range(series, series + 20), first, count), 20 * count


def send(server, requests):
    """CPU seconds, after the first 1 % of the requests, which create the series, and the number of samples."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    warm = len(requests) // 100 + 1
    samples = 0
    for number, (body, count) in enumerate(requests):
        if number == warm:
            before = server.cpu_seconds()
        headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"}
        connection.request("POST", "/api/v1/write", body, headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status not in (200, 204):
            raise RuntimeError(f"{server.name}: {response.status} {answer[:300]}")
        samples += count if number >= warm else 0
    # What is written and merged afterwards is part of it.
    time.sleep(20)
    return server.cpu_seconds() - before, samples


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tribune", required=True, help="the program, built for release")
    parser.add_argument("--series", type=int, default=2000)
    parser.add_argument("--days", type=int, default=1)
    settings = parser.parse_args()
    print(machine())
    for shape in ("scrapes", "histories"):
        requests = list(bodies(shape, settings))
        size = sum(len(body) for body, _ in requests)
        print(f"{shape}: {len(requests)} requests of {size / len(requests):.0f} bytes")
        with tempfile.TemporaryDirectory() as directory:
            base = None
            for server in servers(settings.tribune, directory):
                with server:
                    server.wait_until_ready()
                    seconds, samples = send(server, requests)
                per_million = seconds / samples * 1e6
                base = base or per_million
                print(f"  {server.name}: {per_million:.3f} CPU s per million of {samples} samples; Tribune's is {base / per_million:.2f} of it", flush=True)


if __name__ == "__main__":
    main()
