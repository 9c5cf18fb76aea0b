internal import MetricModel
internal import Runtime
internal import WebServer

extension Exporter {
    private static let writtenHeader = "X-Prometheus-Remote-Write-"

    /// `/api/v1/write`
    func remoteWrite(_ call: APICall) -> HTTPServerResponse {
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
        switch Self.version(contentType: call.request[header: "Content-Type"] ?? "") {
        case .success(let accepted): version = accepted
        case .failure(let fault): return .text(fault.message + "\n", status: 415)
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

    private struct TypeFault: Error {
        let message: String
    }

    /// The message that a media type announces; none of them is version 1.
    private static func version(contentType: String) -> Result<WriteRequest.Version, TypeFault> {
        if contentType.isEmpty { return .success(.one) }
        let parts = contentType.split(separator: ";", omittingEmptySubsequences: false).map { $0.trimmed }
        guard parts[0] == "application/x-protobuf" else {
            return .failure(
                TypeFault(
                    message:
                        "expected application/x-protobuf as the first (media) part, got \(contentType) content-type"))
        }
        for part in parts.dropFirst() {
            let pair = part.split(separator: "=", omittingEmptySubsequences: false)
            guard pair.count == 2 else {
                return .failure(
                    TypeFault(
                        message: "expected parameters to be key-values, got \(part) in \(contentType) content-type"))
            }
            guard pair[0] == "proto" else { continue }
            switch pair[1] {
            case "prometheus.WriteRequest": return .success(.one)
            case "io.prometheus.write.v2.Request": return .success(.two)
            default:
                return .failure(
                    TypeFault(
                        message: "got \(contentType) content type; unknown remote write protobuf message \(pair[1])"))
            }
        }
        return .success(.one)
    }
}
