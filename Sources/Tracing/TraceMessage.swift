internal import CurlHTTP
internal import MetricModel
internal import Scraper
internal import Zlib

/// A message with spans for a collector, by OTLP over HTTP or gRPC. A value.
struct TraceMessage: Sendable {
    /// The result of a message.
    enum Outcome: Equatable, Sendable {
        /// Taken, except for some spans.
        case taken(rejected: Int, message: String)
        /// Not taken; it may be sent again.
        case failed(String)
        /// Not taken; sending it again does not help.
        case refused(String)
    }

    let request: HTTPRequest
    private let client: TracingSettings.Client

    /// The header fields that gRPC and HTTP need themselves.
    init(_ body: [UInt8], _ settings: TracingSettings, version: String) {
        client = settings.client
        let compressed = settings.isCompressed ? compress(body, as: .gzip) : nil
        var request = HTTPRequest(
            method: "POST", url: settings.url, body: compressed ?? body,
            timeoutMilliseconds: settings.timeout.rawValue)
        request.tls = settings.tls
        request.maximumBodyBytes = 1 << 20
        request.headers = settings.headers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        request.headers.append(("User-Agent", "tribune/\(version)"))
        switch client {
        case .http:
            request.headers.append(("Content-Type", "application/x-protobuf"))
            if compressed != nil { request.headers.append(("Content-Encoding", "gzip")) }
        case .grpc:
            request.requiresHTTP2 = true
            request.headers.append(("Content-Type", "application/grpc"))
            request.headers.append(("TE", "trailers"))
            request.headers.append(("grpc-timeout", "\(settings.timeout.rawValue)m"))
            if compressed != nil { request.headers.append(("grpc-encoding", "gzip")) }
            let count = UInt32(truncatingIfNeeded: request.body.count).bigEndian
            let length = unsafe withUnsafeBytes(of: count) { unsafe Array($0) }
            request.body = [compressed == nil ? 0 : 1] + length + request.body
        }
        self.request = request
    }

    /// The meaning of `response`.
    func outcome(_ response: HTTPResponse) -> Outcome {
        switch client {
        case .http: outcome(status: response.status, response.body)
        case .grpc: grpcOutcome(response)
        }
    }

    private func outcome(status: Int, _ body: [UInt8]) -> Outcome {
        switch status {
        case 200..<300: TraceResponse(body).outcome
        case 429, 502, 503, 504: .failed("the collector returned \(status)")
        default: .refused("the collector returned \(status)\(Self.shown(body))")
        }
    }

    private func grpcOutcome(_ response: HTTPResponse) -> Outcome {
        guard response.status == 200 else { return outcome(status: response.status, []) }
        guard let text = response["grpc-status"], let status = Int(text) else {
            return .failed("the collector does not speak gRPC: its answer has no grpc-status")
        }
        let reason = "status \(status) of gRPC" + (response["grpc-message"].map { ": \($0.prefix(200))" } ?? "")
        switch status {
        case 0:
            // One message, which is not compressed: no compression was offered.
            return TraceResponse(Array(response.body.dropFirst(5))).outcome
        // As the specification of OTLP lists them.
        case 1, 4, 8, 10, 11, 14, 15: return .failed(reason)
        default: return .refused(reason)
        }
    }

    private static func shown(_ body: [UInt8]) -> String {
        guard let text = String(validating: body.prefix(200), as: UTF8.self), !text.isEmpty else { return "" }
        return ": " + text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
}
