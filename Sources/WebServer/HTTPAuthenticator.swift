/// Authenticates every request before it reaches a handler.
public protocol HTTPAuthenticator: Sendable {
    /// The decision, if it takes only microseconds and no waiting; otherwise `nil`. Then ``decide(_:)`` is called on a
    /// thread that may block.
    func quickDecision(_ request: HTTPServerRequest) -> HTTPDecision?

    /// The decision. May block.
    func decide(_ request: HTTPServerRequest) -> HTTPDecision

    /// Headers of every response to an admitted or refused request, unless the handler sets others.
    var responseHeaders: [(name: String, value: String)] { get }
}

/// The decision about a request.
public enum HTTPDecision: Sendable {
    /// It is passed to its handler, with the name in ``HTTPServerRequest/identity``.
    case admit(identity: String?)
    /// It gets this response.
    case refuse(HTTPServerResponse)
}
