#!/usr/bin/python3
"""A strict collector of traces: OTLP over HTTP or gRPC, read with OpenTelemetry's own protobuf definitions.

    trace_collector.py SDK MODE OUTPUT [CERTIFICATE KEY] [fail=N] [reject]

SDK is the directory with OpenTelemetry's packages, MODE is http or grpc. The port goes to OUTPUT.port. Each span becomes
a line of JSON in OUTPUT, and each fault of the protocol a line that begins with FAULT. With fail=N, the first N messages
are answered by 503 or UNAVAILABLE; with reject, one span of each message is rejected.
"""
import gzip
import http.server
import json
import os
import ssl
import sys

sdk, mode, output, *rest = sys.argv[1:]
sys.path.insert(0, sdk)
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service  # noqa: E402

files = [word for word in rest if "=" not in word and word != "reject"]
failures = next((int(word[5:]) for word in rest if word.startswith("fail=")), 0)
rejects = "reject" in rest
log = open(output, "a", buffering=1)


def fault(text):
    log.write("FAULT " + text + "\n")


def value(any_value):
    kind = any_value.WhichOneof("value")
    if kind == "array_value":
        return [value(element) for element in any_value.array_value.values]
    if kind is None:
        fault("an attribute without value")
    return getattr(any_value, kind)


def attributes(pairs):
    names = [pair.key for pair in pairs]
    if len(set(names)) != len(names) or "" in names:
        fault("attributes twice or without name: %s" % names)
    return {pair.key: value(pair.value) for pair in pairs}


def take(message, headers):
    """Records the spans of a message. Returns the response, or None for a failure that may pass."""
    global failures
    if failures > 0:
        failures -= 1
        log.write("FAILED\n")
        return None
    request = service.ExportTraceServiceRequest.FromString(message)
    # Proto3 keeps what it does not know, which a message that is written again shows.
    if request.SerializeToString(deterministic=True) and len(request.SerializeToString()) != len(message):
        fault("fields that the definitions do not know, or defaults that are written")
    count = 0
    for group in request.resource_spans:
        resource = attributes(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                count += 1
                if len(span.trace_id) != 16 or not any(span.trace_id):
                    fault("trace id " + span.trace_id.hex())
                if len(span.span_id) != 8 or not any(span.span_id) or len(span.parent_span_id) not in (0, 8):
                    fault("span id " + span.span_id.hex())
                if not 0 < span.start_time_unix_nano <= span.end_time_unix_nano:
                    fault("times of " + span.name)
                if not span.name or span.kind == 0:
                    fault("a span without name or kind")
                log.write(json.dumps({
                    "trace": span.trace_id.hex(), "id": span.span_id.hex(), "parent": span.parent_span_id.hex(),
                    "name": span.name, "kind": span.kind, "start": str(span.start_time_unix_nano),
                    "end": str(span.end_time_unix_nano), "attributes": attributes(span.attributes),
                    "events": [{"name": event.name, "time": str(event.time_unix_nano),
                                "attributes": attributes(event.attributes)} for event in span.events],
                    "status": span.status.code, "message": span.status.message, "resource": resource,
                    "scope": [scope.scope.name, scope.scope.version], "headers": headers,
                    "dropped_events": span.dropped_events_count,
                }) + "\n")
    response = service.ExportTraceServiceResponse()
    if rejects and count:
        response.partial_success.rejected_spans = 1
        response.partial_success.error_message = "one too many"
    return response


def serve_http():
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments):
            pass

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Type") != "application/x-protobuf":
                fault("content type %s" % self.headers.get("Content-Type"))
            if self.path != "/v1/traces":
                fault("path " + self.path)
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            response = take(body, {name.lower(): text for name, text in self.headers.items()})
            content = b"" if response is None else response.SerializeToString()
            self.send_response(503 if response is None else 200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if files:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    publish(server.server_port)
    server.serve_forever()


def serve_grpc():
    from concurrent import futures

    import grpc

    def export(message, context):
        headers = {name: text for name, text in context.invocation_metadata()}
        response = take(message, headers)
        if response is None:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        return response.SerializeToString()

    handler = grpc.method_handlers_generic_handler(
        "opentelemetry.proto.collector.trace.v1.TraceService", {"Export": grpc.unary_unary_rpc_method_handler(export)})
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((handler,))
    if files:
        certificate, key = (open(path, "rb").read() for path in files)
        port = server.add_secure_port("localhost:0", grpc.ssl_server_credentials([(key, certificate)]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    publish(port)
    server.wait_for_termination()


def publish(port):
    with open(output + ".new", "w") as file:
        file.write(str(port))
    os.rename(output + ".new", output + ".port")


serve_http() if mode == "http" else serve_grpc()
