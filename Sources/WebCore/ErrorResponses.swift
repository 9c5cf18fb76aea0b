internal import JSON
public import WebServer

extension HTTPServerResponse {
    /// An error in Prometheus's envelope.
    public static func error(_ error: APIError) -> HTTPServerResponse {
        envelope(error.kind, error.message, status: error.kind.status).challenging(error)
    }

    /// The same for a request that is refused before it reaches a handler.
    static func refusal(status: Int, reason: String) -> HTTPServerResponse {
        envelope(status >= 500 ? .unavailable : .badData, reason, status: status)
    }

    private static func envelope(_ kind: APIError.Kind, _ message: String, status: Int) -> HTTPServerResponse {
        var writer = JSONWriter()
        writer.object {
            $0.member("status", "error")
            $0.member("errorType", kind.rawValue)
            $0.member("error", message)
        }
        return .json(writer.bytes, status: status)
    }

    /// The response while the store is not open, or no longer.
    public static var notReady: HTTPServerResponse {
        var response = HTTPServerResponse.text("Service Unavailable", status: 503)
        response.headers.append(("X-Prometheus-Stopping", "false"))
        return response
    }

    fileprivate func challenging(_ error: APIError) -> HTTPServerResponse {
        guard error.kind == .unauthorized else { return self }
        var response = self
        response.headers.append(("WWW-Authenticate", "Bearer realm=\"tribune\""))
        return response
    }
}

extension Endpoint {
    /// `error` as this endpoint writes errors.
    func errorResponse(_ error: APIError) -> HTTPServerResponse {
        switch errors {
        case .envelope: return .error(error)
        case .jsonString:
            var writer = JSONWriter()
            writer.string(error.message)
            return HTTPServerResponse.json(writer.bytes, status: error.kind.status).challenging(error)
        case .text, .page:
            return HTTPServerResponse.text(error.message + "\n", status: error.kind.status).challenging(error)
        }
    }
}
