#!/usr/bin/env python3
"""Attacks a running service in each way of the list below while a second process probes /-/healthy.

    scripts/attacks.py BINARY [--seconds 10] [--clients 2000] [--limit-ms 100] [--limit-mb 512] [ATTACK...]

Prints a row for each attack: probes, their median, 99th percentile and maximum, how late the prober itself was woken at the most
(what the machine costs without the service), and the service's memory at its highest. The exit code is 1 if a probe was slower than
the limit or failed, or the memory was above its limit."""

import argparse
import base64
import multiprocessing
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

ATTACKS = {}


def attack(function):
    ATTACKS[function.__name__.replace("_", "-")] = function
    return function


def connect(port):
    sock = socket.socket()
    sock.settimeout(5)
    sock.connect(("127.0.0.1", port))
    return sock


def open_many(port, count, first, end):
    """Keeps `count` connections open that have sent `first`; opens another one for each that the service closes."""
    held = []
    while time.monotonic() < end:
        try:
            sock = connect(port)
            sock.sendall(first)
            held.append(sock)
        except OSError:
            time.sleep(0.01)
        if len(held) > count:
            held.pop(0).close()
    for sock in held:
        sock.close()


def repeat(port, end, payload, reads=True):
    """Sends the same bytes on new connections."""
    while time.monotonic() < end:
        try:
            with connect(port) as sock:
                sock.sendall(payload)
                while reads and sock.recv(65536):
                    pass
        except OSError:
            pass


GET = "GET {} HTTP/1.1\r\nHost: localhost\r\n{}\r\n"
HEAVY = "/api/v1/query_range?query=sum%20by(__name__)(rate(%7B__name__%3D~%22.%2B%22%7D%5B5m%5D))&start={}&end={}&step=1"


@attack
def nothing(port, end, clients):
    time.sleep(max(0, end - time.monotonic()))


@attack
def half_open(port, end, clients):
    open_many(port, clients, b"GET / HTTP/1.1\r\nHos", end)


@attack
def silent(port, end, clients):
    open_many(port, clients, b"", end)


@attack
def slow_heads(port, end, clients):
    socks = []
    while time.monotonic() < end:
        if len(socks) < min(clients, 400):
            try:
                socks.append(connect(port))
                socks[-1].sendall(b"GET /api/v1/labels HTTP/1.1\r\nHost: x\r\nA: ")
            except OSError:
                continue
        for sock in list(socks):
            try:
                sock.sendall(b"b")
            except OSError:
                socks.remove(sock)
        time.sleep(0.02)


@attack
def unfinished_bodies(port, end, clients):
    head = GET.replace("GET", "POST").format("/api/v1/query", "Content-Length: 50000000\r\n").encode()
    open_many(port, 60, head + b"x" * (1 << 20) * 8, end)


@attack
def no_readers(port, end, clients):
    """Clients that ask for long responses and read nothing."""
    open_many(port, clients, GET.format("/metrics", "").encode() * 4, end)


@attack
def no_readers_of_the_page(port, end, clients):
    open_many(port, clients, GET.format("/api/v1/status/config", "").encode() * 4, end)


@attack
def forms(port, end, clients):
    form = b"a=1&" * ((8 << 20) // 4)
    head = GET.replace("GET", "POST").format(
        "/api/v1/query", f"Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\nContent-Length: {len(form)}\r\n")
    repeat(port, end, head.encode() + form)


@attack
def flood(port, end, clients):
    while time.monotonic() < end:
        try:
            with connect(port) as sock:
                sock.settimeout(1)
                for _ in range(50):
                    sock.sendall(GET.format("/api/v1/labels", "").encode() * 20)
                    sock.recv(1 << 20)
        except OSError:
            pass


@attack
def heavy_queries(port, end, clients):
    now = time.time()
    held = []
    while time.monotonic() < end:
        try:
            sock = connect(port)
            sock.sendall(GET.format(HEAVY.format(now - 3600, now), "").encode())
            held.append(sock)
        except OSError:
            pass
        time.sleep(0.02)
        if len(held) > 60:
            held.pop(0).close()


@attack
def passwords(port, end, clients):
    """Each guess with another name, so that none is locked out; the address as a proxy gives it."""
    count = 0
    while time.monotonic() < end:
        count += 1
        guess = base64.b64encode(f"user{count}:{count}".encode()).decode()
        repeat(port, min(end, time.monotonic() + 0.001), GET.format(
            "/api/v1/rollouts", f"Authorization: Basic {guess}\r\nConnection: close\r\n").encode())


@attack
def malformed(port, end, clients):
    shapes = [b"\x16\x03\x01" * 1000, b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 60000, b"GET " + b"/" * 500000,
              b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
              b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 60000]
    while time.monotonic() < end:
        for shape in shapes:
            repeat(port, time.monotonic() + 0.001, shape, reads=False)


def probe(port, stopping, results):
    latencies, late, failed = [], 0.0, 0
    while not stopping.is_set():
        wanted = time.monotonic() + 0.02
        time.sleep(0.02)
        start = time.monotonic()
        late = max(late, start - wanted)
        try:
            with connect(port) as sock:
                sock.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                answer = b""
                while piece := sock.recv(4096):
                    answer += piece
            failed += not answer.startswith(b"HTTP/1.1 200")
        except OSError:
            failed += 1
        latencies.append(time.monotonic() - start)
    results.put((latencies, late, failed))


def memory(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) // 1024


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def start(binary, directory, port):
    with open(f"{directory}/prometheus.yml", "w") as file:
        file.write("global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: self\n  static_configs:\n"
                   f"  - targets: ['127.0.0.1:{port}']\n" + "# padding\n" * 20000)
    with open(f"{directory}/access.yml", "w") as file:
        file.write("users: [{name: alice, roles: [admin], password_hash: "
                   "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG}]\n")
    with open(f"{directory}/tribune.yml", "w") as file:
        file.write("prometheus_config: prometheus.yml\naccess_config: access.yml\n")
    environment = dict(os.environ, TRIBUNE_RUNTIME_DIR=f"{directory}/run")
    service = subprocess.Popen(
        [binary, "serve", f"--config.file={directory}/tribune.yml", f"--storage.path={directory}/data",
         f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver"],
        env=environment, stdout=open(f"{directory}/log", "w"), stderr=subprocess.STDOUT)
    for _ in range(300):
        try:
            with connect(port) as sock:
                sock.sendall(b"GET /-/ready HTTP/1.0\r\n\r\n")
                if b" 200 " in sock.recv(100):
                    return service
        except OSError:
            pass
        time.sleep(0.1)
    service.kill()
    sys.exit(f"the service did not start: {open(f'{directory}/log').read()[-2000:]}")


def run(name, service, port, options):
    stopping, results = multiprocessing.Event(), multiprocessing.Queue()
    prober = multiprocessing.Process(target=probe, args=(port, stopping, results))
    prober.start()
    end = time.monotonic() + options.seconds
    workers = 1 if name == "nothing" else 2
    attackers = [multiprocessing.Process(target=ATTACKS[name], args=(port, end, options.clients // workers))
                 for _ in range(workers)]
    for process in attackers:
        process.start()
    highest = 0
    while any(process.is_alive() for process in attackers) and service.poll() is None:
        highest = max(highest, memory(service.pid))
        time.sleep(0.2)
    stopping.set()
    latencies, late, failed = results.get()
    prober.join()
    for process in attackers:
        process.join()
    latencies.sort()
    worst = latencies[-1] * 1000
    print(f"| {name} | {len(latencies)} | {latencies[len(latencies) // 2] * 1000:.1f} | "
          f"{latencies[len(latencies) * 99 // 100] * 1000:.1f} | {worst:.1f} | {late * 1000:.1f} | {failed} | {highest} |",
          flush=True)
    died = service.poll() is not None
    if died:
        print(f"the service ended with {service.returncode}", flush=True)
    return not died and failed == 0 and worst - late * 1000 <= options.limit_ms and highest <= options.limit_mb


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("attacks", nargs="*", default=[])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", type=int, default=2000)
    parser.add_argument("--limit-ms", type=float, default=100)
    parser.add_argument("--limit-mb", type=int, default=512)
    options = parser.parse_intermixed_args()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    port = free_port()
    good = True
    with tempfile.TemporaryDirectory() as directory:
        service = start(os.path.abspath(options.binary), directory, port)
        try:
            time.sleep(3)
            print("| attack | probes | median ms | p99 ms | max ms | prober late ms | failed | MB |")
            print("|---|---|---|---|---|---|---|---|", flush=True)
            for name in options.attacks or ATTACKS:
                good = run(name, service, port, options) and good
        finally:
            service.send_signal(signal.SIGKILL)
            service.wait()
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
