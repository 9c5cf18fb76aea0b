internal import Identity
internal import MetricModel
internal import Runtime
public import WebCore
internal import WebServer

/// The endpoint of remote write. A value.
public struct RemoteWriteAPI: Sendable {
    /// `nil` if remote write is not enabled.
    let receiver: RemoteWriteReceiver?

    /// The endpoint for `receiver`. Without a receiver, it rejects every request.
    public init(receiver: RemoteWriteReceiver?) {
        self.receiver = receiver
    }

    /// `/api/v1/write`
    public var endpoints: [Endpoint] {
        [
            .response(
                [.post], "/api/v1/write", "Takes samples by remote write, version 1 or 2.", permission: .write,
                body: .remoteWrite, response: .empty, needsStore: true, write)
        ]
    }

    private static let writtenHeader = "X-Prometheus-Remote-Write-"

    private func write(_ call: APIRequest) -> HTTPServerResponse {
        guard let receiver else {
            return .text(
                "remote write receiver needs to be enabled with --web.enable-remote-write-receiver\n", status: 404)
        }
        let encoding = call.request[header: "Content-Encoding"] ?? ""
        guard encoding.isEmpty || encoding.lowercased() == "snappy" else {
            return .text(
                "\(encoding) encoding (compression) is not accepted by this server; only snappy is acceptable\n",
                status: 415)
        }
        let version: WriteRequest.Version
        do throws(UnsupportedType) {
            version = try Self.version(contentType: call.request[header: "Content-Type"] ?? "")
        } catch {
            return .text(error.message + "\n", status: 415)
        }
        let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        let (written, refusal) = receiver.receive(call.request.body, version, now: now)
        var response =
            refusal.map { HTTPServerResponse.text($0.message + "\n", status: $0.status) }
            ?? HTTPServerResponse(status: 204)
        if version == .two {
            response.headers += [
                ("\(Self.writtenHeader)Samples-Written", "\(written.samples)"),
                ("\(Self.writtenHeader)Histograms-Written", "\(written.histograms)"),
                ("\(Self.writtenHeader)Exemplars-Written", "\(written.exemplars)"),
            ]
        }
        return response
    }

    private struct UnsupportedType: Error {
        let message: String
    }

    /// The message version of a media type; version 1 if it has none.
    private static func version(contentType: String) throws(UnsupportedType) -> WriteRequest.Version {
        if contentType.isEmpty { return .one }
        let parts = contentType.split(separator: ";", omittingEmptySubsequences: false).map(trimmed)
        guard parts[0] == "application/x-protobuf" else {
            throw UnsupportedType(
                message: "expected application/x-protobuf as the first (media) part, got \(contentType) content-type")
        }
        for part in parts.dropFirst() {
            let pair = part.split(separator: "=", omittingEmptySubsequences: false)
            guard pair.count == 2 else {
                throw UnsupportedType(
                    message: "expected parameters to be key-values, got \(part) in \(contentType) content-type")
            }
            guard pair[0] == "proto" else { continue }
            switch pair[1] {
            case "prometheus.WriteRequest": return .one
            case "io.prometheus.write.v2.Request": return .two
            default:
                throw UnsupportedType(
                    message: "got \(contentType) content type; unknown remote write protobuf message \(pair[1])")
            }
        }
        return .one
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var rest = text.drop { $0 == " " || $0 == "\t" }
        while rest.last == " " || rest.last == "\t" { rest.removeLast() }
        return rest
    }
}
