"""Memory of one large range query: an hour of samples is sent to both servers, and the peak is read off /proc."""

import http.client
import struct
import time

SERIES, INTERVAL = 10_000, 15


def varint(number):
    result = bytearray()
    while number >= 0x80:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    result.append(number)
    return bytes(result)


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def label(name, value):
    return field(1, field(1, name.encode()) + field(2, value.encode()))


def snappy(content):
    """A snappy block without any compression: literals only."""
    result = bytearray(varint(len(content)))
    for start in range(0, len(content), 60_000):
        piece = content[start : start + 60_000]
        result += bytes([61 << 2]) + struct.pack("<H", len(piece) - 1) + piece
    return bytes(result)


def send_hour(server, end):
    """`SERIES` counters with a sample every `INTERVAL` seconds of the hour before `end`."""
    names = [
        label("__name__", "large_total") + label("index", str(index)) + label("job", "memory") for index in range(SERIES)
    ]
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    headers = {
        "Content-Type": "application/x-protobuf",
        "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
    }
    for step in range(3600 // INTERVAL + 1):
        moment = int((end - 3600 + step * INTERVAL) * 1000)
        for start in range(0, SERIES, 5000):
            request = b"".join(
                field(1, name + field(2, b"\x09" + struct.pack("<d", step * (7 + (start + offset) % 50)) + b"\x10" + varint(moment)))
                for offset, name in enumerate(names[start : start + 5000])
            )
            connection.request("POST", "/api/v1/write", snappy(request), headers)
            response = connection.getresponse()
            body = response.read()
            if response.status not in (200, 204):
                raise RuntimeError(f"{server.name}: {response.status} {body[:300]!r}")
    connection.close()


def measure_memory(servers):
    """For each query and server: mebibytes by which the peak of resident memory exceeds what was resident before."""
    end = int(time.time()) - 5
    for server in servers:
        send_hour(server, end)
    rows = []
    for name, expression in (
        ("rate of 10,000 series, 1 h in steps of 15 s", "rate(large_total[5m])"),
        ("their sum", "sum(rate(large_total[5m]))"),
    ):
        figures = []
        for server in servers:
            time.sleep(3)
            before = server.resident_bytes()
            server.reset_peak()
            status, size = server.read(
                "/api/v1/query_range", query=expression, start=end - 3600, end=end, step=INTERVAL
            )
            if status != 200 or size < 1000:
                raise RuntimeError(f"{server.name}: {status}, {size} bytes")
            figures.append((server.peak_bytes() - before) / 2**20)
        rows.append((name, figures))
    return rows
