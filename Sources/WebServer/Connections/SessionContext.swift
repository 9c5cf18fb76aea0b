internal import Runtime

/// A session's access to its connection and server. Used under the connection's lock.
final class SessionContext {
    let limits: RequestReader.Limits
    let peer: HTTPPeer
    let formLimit: Int
    /// Schedules the connection to be filled again, from any thread.
    let wake: @Sendable () -> Void
    /// Called for each request that is rejected before it reaches a handler. Returns the response.
    let onRefusal: (HTTPFault) -> HTTPServerResponse
    /// Whether the connection has served a request.
    var hasServed = false

    /// The maximum number of fields in a form.
    static let maximumFormFields = 10_000

    init(
        limits: RequestReader.Limits, peer: HTTPPeer, formLimit: Int, wake: @escaping @Sendable () -> Void,
        onRefusal: @escaping (HTTPFault) -> HTTPServerResponse
    ) {
        self.limits = limits
        self.peer = peer
        self.formLimit = formLimit
        self.wake = wake
        self.onRefusal = onRefusal
    }

    /// The request for handlers; `nil` if the target cannot be decoded.
    func request(
        _ method: String, _ target: [UInt8], _ headers: [(name: String, value: String)], _ body: [UInt8]
    ) -> HTTPServerRequest? {
        guard let (path, query) = URLEncoding.split(target) else { return nil }
        return HTTPServerRequest(
            method: method, path: path, query: query, headers: headers, body: body, client: peer)
    }

    /// Why the form in a request's body is rejected, if it is.
    func formFault(_ request: HTTPServerRequest) -> HTTPFault? {
        guard request.body.count > Self.maximumFormFields, request.hasForm else { return nil }
        if request.body.count > formLimit { return .bodyTooLarge }
        let fields = request.body.count { $0 == UInt8(ascii: "&") }
        return fields < Self.maximumFormFields ? nil : .badRequest("too many form fields")
    }
}
