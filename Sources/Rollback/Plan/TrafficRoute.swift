public import MetricModel

/// Where the traffic of a service is divided, and how.
public struct TrafficRoute: Equatable, Sendable {
    /// The kind of router with what only it needs.
    public enum Kind: Equatable, Sendable {
        case haproxy(HAProxyRoute)
        case nginx(NginxRoute)
        case envoy(EnvoyRoute)
        case kubernetes(KubernetesRoute)
        case exec(ExecRoute)
        case webhook(WebhookRoute)
    }

    /// What is done to a candidate that has lost its traffic.
    public enum Isolation: String, Sendable, CaseIterable {
        /// No new requests; those under way finish.
        case drain
        /// Taken out; health checks stop too.
        case maint
        /// Left as it is, at weight 0.
        case none
    }

    /// The kind of router.
    public var kind: Kind
    /// What is done to a candidate that has lost its traffic.
    public var isolation: Isolation
    /// How long one operation may take.
    public var timeout: Milliseconds

    /// Why the router has no way to express `split`; `nil` where it has.
    func obstacle(to split: TrafficSplit) -> String? {
        switch kind {
        case .haproxy(let haproxy):
            guard haproxy.division == .weights, haproxy.weights(for: split) == nil else { return nil }
            return "so unequal numbers of servers need weights over 256"
        case .kubernetes(let kubernetes):
            guard case .service = kubernetes.object, split != .allStable, split != .allCandidate else { return nil }
            return "the selector of a Service can only select one version, so 100 must be the only stage"
        case .nginx, .envoy, .exec, .webhook: return nil
        }
    }
}

/// A route through HAProxy's runtime API.
public struct HAProxyRoute: Equatable, Sendable {
    /// How the division is expressed.
    public enum Division: Equatable, Sendable {
        /// By the weights of servers of one backend.
        case weights
        /// By the candidate's percentage, kept as the value of `key` in a map that the configuration consults.
        case map(file: String, key: String)
    }

    /// `/run/haproxy.sock`, or `IP:port`; names are refused, since looking one up can hang.
    public var address: String
    /// The servers of the stable version, as `backend/server`.
    public var stable: [HAProxyServer]
    /// The servers of the candidate, as `backend/server`.
    public var candidate: [HAProxyServer]
    /// How the division is expressed.
    public var division: Division
    /// Whether connections to the candidate are cut when it is isolated. Cuts requests under way.
    public var shutdownSessions: Bool

    /// A value with these parts.
    package init(
        address: String, stable: [HAProxyServer], candidate: [HAProxyServer], division: Division, shutdownSessions: Bool
    ) {
        self.address = address
        self.stable = stable
        self.candidate = candidate
        self.division = division
        self.shutdownSessions = shutdownSessions
    }
}

/// A server of an HAProxy backend.
public struct HAProxyServer: Hashable, Sendable, CustomStringConvertible {
    /// The backend's name.
    public var backend: String
    /// The server's name.
    public var server: String

    /// A value with these parts.
    package init(backend: String, server: String) {
        self.backend = backend
        self.server = server
    }

    /// `backend/server`.
    public var description: String { "\(backend)/\(server)" }
}

/// A route through an upstream file that nginx includes.
public struct NginxRoute: Equatable, Sendable {
    /// The file that is generated; nginx must `include` it.
    public var file: String
    /// The name of the upstream block.
    public var upstream: String
    /// `host:port` of each server of the stable version.
    public var stable: [String]
    /// `host:port` of each server of the candidate.
    public var candidate: [String]
    /// The command that checks the configuration.
    public var test: [String]
    /// The command that makes nginx read it.
    public var reload: [String]
    /// A URL served by this nginx that answers with `$tribune_NAME`, the version of the file its worker has read.
    public var probe: String
}

/// A route through programs.
public struct ExecRoute: Equatable, Sendable {
    /// Sets the division given on standard input.
    public var shift: [String]
    /// Prints the live division.
    public var read: [String]
    /// Isolates the candidate; `nil` where there is nothing to do.
    public var isolate: [String]?
}

/// A route through a web service.
public struct WebhookRoute: Equatable, Sendable {
    /// Where operations are posted.
    public var url: String
    /// Where the live division is read.
    public var read: String
    /// Sent with every request, such as `Authorization`.
    public var headers: [Header]

    /// A header of a request.
    public struct Header: Equatable, Sendable {
        /// The header's name.
        public var name: String
        /// Its value; may be a secret.
        public var value: String
    }
}
