internal import Rollback

/// A request to the gates.
public struct GateRequest: Sendable {
    /// Kinds of records.
    public enum Kind: String, Sendable, CaseIterable {
        case deployment = "analyze-deployment"
        case performanceChange = "analyze-performance-change"
        case improvement = "improvements"
        case checkpoint = "safety/checkpoint"
    }

    /// The operation.
    public enum Verb: Equatable, Sendable {
        case create
        case list(limit: Int)
        case read(id: String)
        /// An executor reports the status of an improvement.
        case report(id: String)
        /// Restores a checkpoint.
        case restore(id: String)
    }

    /// The operation.
    public var verb: Verb
    /// The kind of record.
    public var kind: Kind
    /// The body, as JSON.
    public var body: [UInt8]
    /// The caller.
    public var actor: String

    /// A request of `actor`.
    public init(_ verb: Verb, _ kind: Kind, body: [UInt8] = [], actor: String) {
        self.verb = verb
        self.kind = kind
        self.body = body
        self.actor = actor
    }

    /// The limit of a request body, in bytes.
    public static let bodyLimit = 256 << 10
}

/// Why a request was refused.
public struct GateRefusal: Error, Equatable, Sendable {
    /// The kind of reason.
    public enum Kind: Equatable, Sendable {
        /// The body is invalid. The message names the field.
        case invalid
        case notFound
        /// The request conflicts with the current state.
        case conflict
        /// Too many requests, or the disk failed.
        case unavailable
    }

    /// The kind of reason.
    public var kind: Kind
    /// The message, one line.
    public var message: String

    init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }
}
