internal import JSON
internal import WebCore
internal import WebServer

extension PrometheusAPI {
    /// `/-/healthy`: the process works.
    func healthy(_ call: APIRequest) -> HTTPServerResponse { .text("Prometheus Server is Healthy.\n") }

    /// `/-/ready`: the API is ready. Tools search for this text.
    func ready(_ call: APIRequest) -> HTTPServerResponse {
        guard sources.isReady() else { return .notReady }
        return .text((["Prometheus Server is Ready."] + sources.limitations()).map { $0 + "\n" }.joined())
    }

    /// `/-/acting`: rollouts go on, in both directions. Unlike `/-/ready` it is no reason to send requests elsewhere.
    func acting(_ call: APIRequest) -> HTTPServerResponse {
        let faults = sources.isReady() ? sources.actingFaults() : ["not ready yet"]
        guard !faults.isEmpty else { return .text("Tribune acts.\n") }
        return .text(faults.map { $0 + "\n" }.joined(), status: 503)
    }

    /// `/-/reload`
    func reload(_ call: APIRequest) -> HTTPServerResponse {
        if let refusal = lifecycleRefusal { return refusal }
        switch sources.reload(call.principal) {
        case .failed(let reason): return .text("failed to reload config: \(reason)\n", status: 500)
        case .needsApproval(let reason): return .text("\(reason)\n", status: 409)
        case .done(let waits): return .text(waits.map { "waits: \($0)\n" }.joined())
        }
    }

    /// `/-/quit`
    func quit(_ call: APIRequest) -> HTTPServerResponse {
        if let refusal = lifecycleRefusal { return refusal }
        sources.quit()
        return .text("Requesting termination... Goodbye!")
    }

    private var lifecycleRefusal: HTTPServerResponse? {
        settings.enablesLifecycle ? nil : .text("Lifecycle API is not enabled.", status: 403)
    }

    /// `/version`
    func version(_ call: APIRequest) -> HTTPServerResponse {
        var writer = JSONWriter()
        Self.write(settings.build, into: &writer)
        return .json(writer.bytes)
    }
}
