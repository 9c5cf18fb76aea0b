internal import Identity
internal import JSON
internal import MetricModel
internal import Protobuf
internal import Runtime
public import WebCore
internal import WebServer

/// The endpoint of OTLP. A value.
public struct TelemetryAPI: Sendable {
    /// `nil` if OTLP is not enabled.
    let receiver: TelemetryReceiver?

    /// The endpoint for `receiver`. Without a receiver, it rejects every request.
    public init(receiver: TelemetryReceiver?) {
        self.receiver = receiver
    }

    /// `/api/v1/otlp/v1/metrics`
    public var endpoints: [Endpoint] {
        [
            .response(
                [.post], "/api/v1/otlp/v1/metrics", "Takes metrics of OpenTelemetry by OTLP.", permission: .write,
                body: .telemetry, response: .telemetry, needsStore: true, write)
        ]
    }

    private func write(_ call: APIRequest) -> HTTPServerResponse {
        guard let receiver else {
            return .text("otlp write receiver needs to be enabled with --web.enable-otlp-receiver\n", status: 404)
        }
        let type = call.request[header: "Content-Type"] ?? ""
        let encoding: TelemetryReceiver.Encoding
        switch type.prefix(while: { $0 != ";" && $0 != " " }).lowercased() {
        case "application/x-protobuf": encoding = .protobuf
        case "application/json": encoding = .json
        default:
            return .text(
                "unsupported content type: \(type.prefix(200)), supported: [application/json, application/x-protobuf]\n",
                status: 415)
        }
        let compression = (call.request[header: "Content-Encoding"] ?? "").lowercased()
        guard ["", "identity", "gzip"].contains(compression) else {
            return .text("unsupported compression: \(compression.prefix(200)), supported: [gzip, none]\n", status: 415)
        }
        let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        let outcome = receiver.receive(
            call.request.body, encoding, isCompressed: compression == "gzip", now: now)
        return Self.response(outcome, encoding)
    }

    /// `ExportMetricsServiceResponse`, or `google.rpc.Status` for errors.
    private static func response(
        _ outcome: TelemetryReceiver.Outcome, _ encoding: TelemetryReceiver.Encoding
    ) -> HTTPServerResponse {
        switch encoding {
        case .protobuf:
            var message = ProtobufWriter()
            if outcome.status != 200 {
                message.number(1, code(outcome.status))
                message.text(2, outcome.message)
            } else if outcome.rejected > 0 || !outcome.message.isEmpty {
                message.message(1) {
                    if outcome.rejected > 0 { $0.number(1, UInt64(outcome.rejected)) }
                    $0.text(2, outcome.message)
                }
            }
            return HTTPServerResponse(
                status: outcome.status, headers: [("Content-Type", "application/x-protobuf")], body: message.bytes)
        case .json:
            var json: JSON = [:]
            if outcome.status != 200 {
                json = ["code": .integer(Int64(code(outcome.status))), "message": .string(outcome.message)]
            } else if outcome.rejected > 0 || !outcome.message.isEmpty {
                // 64-bit numbers are texts in this form of JSON.
                json = [
                    "partialSuccess": [
                        "rejectedDataPoints": .string("\(outcome.rejected)"), "errorMessage": .string(outcome.message),
                    ]
                ]
            }
            return .text(json.encoded, status: outcome.status, contentType: "application/json")
        }
    }

    /// The code of gRPC: invalid argument, resource exhausted, unavailable or internal.
    private static func code(_ status: Int) -> UInt64 {
        switch status {
        case 413: 8
        case 503: 14
        case 500...: 13
        default: 3
        }
    }
}
