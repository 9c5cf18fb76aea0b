internal import Rollback

/// What is asked of the gates.
public struct GateRequest: Sendable {
    /// Kinds of records.
    public enum Kind: String, Sendable, CaseIterable {
        case deployment = "analyze-deployment"
        case performanceChange = "analyze-performance-change"
        case improvement = "improvements"
        case checkpoint = "safety/checkpoint"
    }

    /// What is asked.
    public enum Verb: Equatable, Sendable {
        case create
        case list(limit: Int)
        case read(id: String)
        /// An executor says how far an improvement is.
        case report(id: String)
        /// Go back to a checkpoint.
        case restore(id: String)
    }

    /// What is asked.
    public var verb: Verb
    /// Of which kind.
    public var kind: Kind
    /// The body, JSON.
    public var body: [UInt8]
    /// Who asks.
    public var actor: String

    /// A request of `actor`.
    public init(_ verb: Verb, _ kind: Kind, body: [UInt8] = [], actor: String) {
        self.verb = verb
        self.kind = kind
        self.body = body
        self.actor = actor
    }

    /// Bodies are small; what is larger is no request.
    public static let bodyLimit = 64 << 10
}

/// Why a request was not carried out.
public struct GateRefusal: Error, Equatable, Sendable {
    /// The kind of reason.
    public enum Kind: Equatable, Sendable {
        /// The body is wrong; the message names the field.
        case invalid
        case notFound
        /// It makes no sense now.
        case conflict
        /// Too much is asked at once, or the disk does not take it.
        case unavailable
    }

    /// The kind of reason.
    public var kind: Kind
    /// One line.
    public var message: String

    init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }
}
