/// Decides about every request before it reaches a handler.
public protocol HTTPAuthenticator: Sendable {
    /// The decision where it takes microseconds and waits for nothing, else `nil`: then ``decide(_:)`` is called on a
    /// thread that may take longer.
    func quickDecision(_ request: HTTPServerRequest) -> HTTPDecision?

    /// The decision. May block.
    func decide(_ request: HTTPServerRequest) -> HTTPDecision

    /// Headers that every response to an admitted or refused request gets.
    var responseHeaders: [(name: String, value: String)] { get }
}

/// What becomes of a request.
public enum HTTPDecision: Sendable {
    /// It reaches its handler, which sees the name in ``HTTPServerRequest/identity``.
    case admit(identity: String?)
    /// It gets this response.
    case refuse(HTTPServerResponse)
}
