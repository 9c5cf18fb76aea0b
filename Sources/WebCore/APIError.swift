/// Why an API request failed, in the terms of Prometheus's envelope. A value.
public struct APIError: Error, Equatable, Sendable {
    /// The envelope's `errorType`.
    public enum Kind: String, Sendable {
        case badData = "bad_data"
        case execution
        case canceled
        case timeout
        case `internal`
        case unavailable
        /// Tribune's own: something that the request needs does not answer now.
        case temporarilyUnavailable = "temporarily_unavailable"
        case notFound = "not_found"
        /// Tribune's own: the request needs credentials.
        case unauthorized
        /// Tribune's own: the client may not do that.
        case forbidden
        /// Tribune's own: the request conflicts with the present state.
        case conflict
        /// Tribune's own: the request body is too long.
        case bodyTooLong = "body_too_long"
        /// Tribune's own: the client must wait before its next request.
        case tooManyRequests = "too_many_requests"

        /// The HTTP status.
        public var status: Int {
            switch self {
            case .badData: 400
            case .execution: 422
            // Not in the standard: nginx's code for a client that went away.
            case .canceled: 499
            case .timeout, .temporarilyUnavailable: 503
            case .internal, .unavailable: 500
            case .notFound: 404
            case .unauthorized: 401
            case .forbidden: 403
            case .conflict: 409
            case .bodyTooLong: 413
            case .tooManyRequests: 429
            }
        }
    }

    /// The envelope's `errorType`.
    public var kind: Kind
    /// The envelope's `error`.
    public var message: String

    /// An error.
    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    /// `invalid parameter "name": reason`.
    public static func invalid(_ name: String, _ reason: some CustomStringConvertible) -> APIError {
        APIError(.badData, "invalid parameter \"\(name)\": \(reason)")
    }
}
