"""Pushes every instrument of the OpenTelemetry SDK to a server by OTLP.

telemetry_sdk.py SDK-DIRECTORY URL cumulative|delta protobuf|json
"""
import base64
import json
import sys
import time
import urllib.request

sys.path.insert(0, sys.argv[1])
url, temporality_name, encoding = sys.argv[2:5]

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import (
    Counter, Histogram, MeterProvider, ObservableCounter, ObservableGauge, ObservableUpDownCounter, UpDownCounter,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation, ExponentialBucketHistogramAggregation, View,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

temporality = AggregationTemporality.DELTA if temporality_name == "delta" else AggregationTemporality.CUMULATIVE
kinds = (Counter, UpDownCounter, Histogram, ObservableCounter, ObservableUpDownCounter, ObservableGauge)
reader = InMemoryMetricReader(preferred_temporality={kind: temporality for kind in kinds})
provider = MeterProvider(
    metric_readers=[reader], shutdown_on_exit=False,
    resource=Resource({
        "service.namespace": "shop", "service.name": "cart", "service.instance.id": "cart-1",
        "deployment.environment": "test", "host.cores": 4, "zones": ["a", "b"],
    }),
    views=[
        View(instrument_name="request.duration", aggregation=ExplicitBucketHistogramAggregation([0.1, 1, 10])),
        View(instrument_name="request.size", aggregation=ExponentialBucketHistogramAggregation(max_size=20)),
    ],
)
meter = provider.get_meter("checkout", "1.2", attributes={"team": "blue"})
orders = meter.create_counter("orders.placed", unit="{order}", description="Placed orders.")
queue = meter.create_up_down_counter("queue.length")
duration = meter.create_histogram("request.duration", unit="s", description="How long requests take.")
size = meter.create_histogram("request.size", unit="By")
temperature = meter.create_gauge("room.temperature", unit="Cel")
meter.create_observable_counter("cpu.time", unit="s", callbacks=[
    lambda _: [Observation(2.5, {"cpu.mode": "user"}), Observation(1, {"cpu.mode": "idle"})]])
meter.create_observable_up_down_counter("threads", callbacks=[lambda _: [Observation(7)]])
meter.create_observable_gauge("cache.hits", unit="1", callbacks=[lambda _: [Observation(0.25)]])
tracer = TracerProvider(shutdown_on_exit=False).get_tracer("checkout")


def push(data):
    if encoding == "protobuf":
        result = OTLPMetricExporter(endpoint=url, compression=Compression.Gzip, timeout=30).export(data)
        print(result.name)
        return
    # OTLP's JSON: enumerations as numbers, ids as hexadecimal digits instead of Base64.
    from google.protobuf.json_format import MessageToDict

    def hexadecimal(value):
        if isinstance(value, dict):
            return {
                name: base64.b64decode(inner).hex() if name in ("traceId", "spanId") else hexadecimal(inner)
                for name, inner in value.items()
            }
        return [hexadecimal(inner) for inner in value] if isinstance(value, list) else value

    message = hexadecimal(MessageToDict(encode_metrics(data), use_integers_for_enums=True))
    request = urllib.request.Request(
        url, json.dumps(message).encode(), {"Content-Type": "application/json"}, method="POST")
    with urllib.request.urlopen(request, timeout=30) as answer:
        print("SUCCESS", json.loads(answer.read()))


for _ in range(2):
    with tracer.start_as_current_span("order") as span:
        orders.add(2, {"http.method": "GET", "plan": "free"})
        duration.record(0.05, {"route": "/a"})
        duration.record(0.5, {"route": "/a"})
        duration.record(50, {"route": "/a"})
        size.record(100)
        size.record(1000)
        size.record(0)
        print("trace", format(span.get_span_context().trace_id, "032x"))
    queue.add(3)
    queue.add(-1)
    temperature.set(21.5, {"room": "kitchen"})
    # Series start with a zero only if they began in an earlier millisecond.
    time.sleep(0.002)
    push(reader.get_metrics_data())
