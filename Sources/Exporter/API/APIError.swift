/// Why an API call failed, in the terms of Prometheus's envelope.
struct APIError: Error, Equatable {
    enum Kind: String {
        case badData = "bad_data"
        case execution
        case canceled
        case timeout
        case `internal`
        case unavailable
        case notFound = "not_found"
        /// Tribune's own: the caller has not shown the token.
        case unauthorized
        /// Tribune's own: the caller may not do that.
        case forbidden
        /// Tribune's own: it makes no sense now.
        case conflict
        /// Never sent: the answer takes longer than a brief call may, so that a worker has to give it.
        case deferred

        var status: Int {
            switch self {
            case .badData: 400
            case .execution: 422
            // Not in the standard: nginx's code for a client that went away.
            case .canceled: 499
            case .timeout, .deferred: 503
            case .internal, .unavailable: 500
            case .notFound: 404
            case .unauthorized: 401
            case .forbidden: 403
            case .conflict: 409
            }
        }
    }

    var kind: Kind
    var message: String

    init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    /// A worker has to give the answer.
    static var deferred: APIError { APIError(.deferred, "the answer takes too long") }

    /// `invalid parameter "name": cause`.
    static func invalid(_ name: String, _ cause: some CustomStringConvertible) -> APIError {
        APIError(.badData, "invalid parameter \"\(name)\": \(cause)")
    }
}

/// What a call has to say besides its data, and data that it has not written yet.
struct APINotes {
    /// Most entries of one kind in an answer.
    static let most = 10

    var warnings: [String] = []
    var infos: [String] = []
    /// What the data goes on with; it may be long.
    var rest: (any JSONPieces)?

    static let truncated = "results truncated due to limit"

    /// The first entries, and how many were left out.
    static func limited(_ notes: [String], _ kind: String) -> [String] {
        guard notes.count > most else { return notes }
        return notes.prefix(most) + ["\(notes.count - most) more \(kind) annotations omitted"]
    }
}
