"""Processes that are measured: started, watched through /proc, and always ended."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
import urllib.parse

TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A child whose output goes to a file. Ended by its own pid when the `with` block is left."""

    def __init__(self, name, arguments, log):
        self.name, self.arguments, self.log = name, arguments, log
        self.child = None

    def start(self):
        with open(self.log, "ab") as output:
            self.child = subprocess.Popen(self.arguments, stdout=output, stderr=output, stdin=subprocess.DEVNULL)

    def kill(self):
        if self.child and self.child.poll() is None:
            self.child.send_signal(signal.SIGKILL)
        if self.child:
            self.child.wait()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()

    def ensure_running(self):
        if self.child.poll() is not None:
            with open(self.log, errors="replace") as log:
                tail = "".join(log.readlines()[-10:])
            raise RuntimeError(f"{self.name} ended with {self.child.returncode}:\n{tail}")

    def _proc(self, file):
        self.ensure_running()
        with open(f"/proc/{self.child.pid}/{file}") as lines:
            return lines.read()

    def cpu_seconds(self):
        """User and system time of all threads, living and ended: utime + stime of /proc/PID/stat, but in nanoseconds."""
        self.ensure_running()
        process_clock = (~self.child.pid << 3) | 2  # as returned by clock_getcpuclockid
        return time.clock_gettime(process_clock)

    def _field(self, file, name):
        return next(int(line.split()[1]) for line in self._proc(file).splitlines() if line.startswith(name + ":"))

    def resident_bytes(self):
        return self._field("status", "VmRSS") * 1024

    def resident_parts(self):
        """Resident bytes of anonymous memory, of mapped files, and of shared memory."""
        return [self._field("status", name) * 1024 for name in ("RssAnon", "RssFile", "RssShmem")]

    def reset_peak(self):
        """Resets the peak of resident memory."""
        with open(f"/proc/{self.child.pid}/clear_refs", "w") as file:
            file.write("5")

    def peak_bytes(self):
        return self._field("status", "VmHWM") * 1024

    def written_bytes(self):
        return self._field("io", "write_bytes")


class Server(Process):
    """A monitoring server with the Prometheus HTTP API."""

    def __init__(self, name, agent, arguments, port, log):
        super().__init__(name, arguments, log)
        self.agent, self.port = agent, port

    def is_ready(self):
        self.ensure_running()
        try:
            return get(self.port, "/-/ready")[0] == 200
        except OSError:
            return False

    def wait_until_ready(self, seconds=300):
        """Seconds from now until the server says that it is ready."""
        begin = time.monotonic()
        while not self.is_ready():
            if time.monotonic() - begin > seconds:
                raise RuntimeError(f"{self.name} was not ready within {seconds} s")
            time.sleep(0.002)
        return time.monotonic() - begin

    def restart_after_kill(self):
        self.kill()
        self.start()
        return self.wait_until_ready()

    def last_minutes(self, minutes, step):
        now = time.time()
        return {"start": now - minutes * 60, "end": now, "step": step}

    def json(self, path):
        return json.loads(get(self.port, path)[1])

    def read(self, path, **parameters):
        """Status of an answer and its bytes, which are read piece by piece and thrown away."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        connection.request("GET", path + "?" + urllib.parse.urlencode(parameters))
        response = connection.getresponse()
        size = 0
        while piece := response.read(1 << 16):
            size += len(piece)
        connection.close()
        return response.status, size

    def series(self, expression, **range_parameters):
        """The series that a query gives."""
        path = "/api/v1/query_range?" if range_parameters else "/api/v1/query?"
        status, body = get(self.port, path + urllib.parse.urlencode({"query": expression, **range_parameters}))
        if status != 200:
            raise RuntimeError(f"{self.name}: {expression}: {status} {body[:300]!r}")
        return json.loads(body)["data"]["result"]


def get(port, path):
    """Status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def busy_seconds():
    """CPU seconds that the whole machine has worked."""
    with open("/proc/stat") as stat:
        user, nice, system, _, _, irq, softirq = (int(field) for field in stat.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / TICKS


def machine():
    with open("/proc/cpuinfo") as lines:
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown CPU")
    gibibytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{os.cpu_count()} × {model}, {gibibytes:.0f} GiB, Linux {os.uname().release}"
