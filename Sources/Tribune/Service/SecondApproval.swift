internal import MetricModel

/// A configuration that waits for a second identity. A value; one configuration waits at a time.
struct SecondApproval: Equatable {
    /// The outcome of a request.
    enum Decision: Equatable {
        /// The second identity agrees with the first one.
        case granted(first: String)
        /// It is recorded as the first identity, and another one is needed.
        case waits
        /// Who asks is not known as one person or program, so that it does not count.
        case unproved
        /// The same identity has asked before.
        case same
    }

    private struct Request: Equatable {
        var configuration: String
        var identity: String
        var at: Timestamp
    }

    private var request: Request?

    /// How long the first request counts.
    static let lifetime = Milliseconds.hours(1)

    /// `identity` wants `configuration`, named by a hash of its files, to come into force.
    mutating func asked(_ configuration: String, by identity: String?, at now: Timestamp) -> Decision {
        guard let identity else { return .unproved }
        if let first = request, first.configuration == configuration, now - first.at < Self.lifetime {
            guard first.identity != identity else { return .same }
            request = nil
            return .granted(first: first.identity)
        }
        request = Request(configuration: configuration, identity: identity, at: now)
        return .waits
    }

    /// Another configuration came into force.
    mutating func reloaded() { request = nil }
}
