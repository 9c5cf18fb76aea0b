internal import JSON
internal import WebServer

extension Exporter {
    /// `/-/healthy`: this process answers.
    func healthy(_ call: APICall) -> HTTPServerResponse { .text("Prometheus Server is Healthy.\n") }

    /// `/-/ready`: the API answers too. The words are those that tools look for.
    func ready(_ call: APICall) -> HTTPServerResponse {
        guard sources.isReady() else { return .notReady }
        return .text((["Prometheus Server is Ready."] + sources.limitations()).map { $0 + "\n" }.joined())
    }

    /// `/-/reload`
    func reload(_ call: APICall) -> HTTPServerResponse {
        if let refusal = lifecycleRefusal(call) { return refusal }
        if let reason = sources.reload() { return .text("failed to reload config: \(reason)\n", status: 500) }
        return .text("")
    }

    /// `/-/quit`
    func quit(_ call: APICall) -> HTTPServerResponse {
        if let refusal = lifecycleRefusal(call) { return refusal }
        sources.quit()
        return .text("Requesting termination... Goodbye!")
    }

    private func lifecycleRefusal(_ call: APICall) -> HTTPServerResponse? {
        guard settings.enablesLifecycle else { return .text("Lifecycle API is not enabled.", status: 403) }
        guard Sameness.isOwnOrigin(call.request) else {
            return .text("Requests of other sites are refused.\n", status: 403)
        }
        return nil
    }

    /// `/version`
    func version(_ call: APICall) -> HTTPServerResponse {
        var writer = JSONWriter()
        Self.write(settings.build, into: &writer)
        return .json(writer.bytes)
    }
}

/// Guards calls that change something against pages of other sites, which a browser would let send them.
enum Sameness {
    /// Whether `request` comes from a page of this server, or from no page at all.
    static func isOwnOrigin(_ request: HTTPServerRequest) -> Bool {
        guard let origin = request[header: "Origin"] else { return true }
        guard let host = request[header: "Host"] else { return false }
        return origin == "http://" + host || origin == "https://" + host
    }

    /// Whether two secrets are the same, in a time that does not tell where they differ.
    static func isSameSecret(_ left: String, _ right: String) -> Bool {
        let left = Array(left.utf8)
        let right = Array(right.utf8)
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
