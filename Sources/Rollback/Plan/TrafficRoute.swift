public import MetricModel

/// A place where the traffic of a service is divided.
public struct TrafficRoute: Hashable, Sendable {
    /// The kind of router with its settings.
    public enum Kind: Hashable, Sendable {
        case haproxy(HAProxyRoute)
        case nginx(NginxRoute)
        case envoy(EnvoyRoute)
        case kubernetes(KubernetesRoute)
        case exec(ExecRoute)
        case webhook(WebhookRoute)
    }

    /// How a candidate without traffic is isolated.
    public enum Isolation: String, Sendable, CaseIterable {
        /// No new requests; active ones finish.
        case drain
        /// Removed; health checks stop too.
        case maint
        /// Not isolated; weight 0.
        case none
    }

    /// The kind of router.
    public var kind: Kind
    /// How a candidate without traffic is isolated.
    public var isolation: Isolation
    /// The timeout of one operation.
    public var timeout: Milliseconds

    /// Whether the route lets testers reach a candidate that has no share.
    public var admitsTesters: Bool {
        switch kind {
        case .haproxy(let route): route.testers != nil
        case .nginx(let route): route.testers != nil
        case .envoy(let route): route.testers != nil
        case .kubernetes(let route): route.testers != nil
        case .exec(let route): route.admitsTesters
        case .webhook(let route): route.admitsTesters
        }
    }

    /// Why the router does not support `split`; `nil` if it does.
    func obstacle(to split: TrafficSplit) -> String? {
        if split.isForTesters, !admitsTesters { return "the route has no testers" }
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
public struct HAProxyRoute: Hashable, Sendable {
    /// How the weights are set.
    public enum Division: Hashable, Sendable {
        /// By the weights of servers of one backend.
        case weights
        /// By the candidate's percentage, as the value of an entry in a map of the configuration.
        case map(MapEntry)
    }

    /// An entry in a map of the configuration.
    public struct MapEntry: Hashable, Sendable {
        /// The file of the map.
        public var file: String
        /// The key of the entry.
        public var key: String

        package init(file: String, key: String) {
            self.file = file
            self.key = key
        }
    }

    /// `/run/haproxy.sock`, or `IP:port`; names are refused, because a lookup can hang.
    public var address: String
    /// The servers of the stable version, as `backend/server`.
    public var stable: [HAProxyServer]
    /// The servers of the candidate, as `backend/server`.
    public var candidate: [HAProxyServer]
    /// How the weights are set.
    public var division: Division
    /// The entry that is `on` while testers reach the candidate, otherwise `off`; `nil` if there are none.
    public var testers: MapEntry?
    /// Whether connections to the candidate are closed when it is isolated. This breaks active requests.
    public var shutdownSessions: Bool

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

    package init(backend: String, server: String) {
        self.backend = backend
        self.server = server
    }

    /// `backend/server`.
    public var description: String { "\(backend)/\(server)" }
}

/// A route through an upstream file that nginx includes.
public struct NginxRoute: Hashable, Sendable {
    /// The generated file; nginx must `include` it.
    public var file: String
    /// The name of the upstream block.
    public var upstream: String
    /// The name of a second upstream block for testers: it has the candidate's servers while they reach it, otherwise
    /// those of the stable version; `nil` if there are none.
    public var testers: String?
    /// `host:port` of each server of the stable version.
    public var stable: [String]
    /// `host:port` of each server of the candidate.
    public var candidate: [String]
    /// The command that checks the configuration.
    public var test: [String]
    /// The command that makes nginx reload it.
    public var reload: [String]
    /// A URL of this nginx that returns `$tribune_NAME`, the version of the file that its worker has read.
    public var probe: String
}

/// A route through programs.
public struct ExecRoute: Hashable, Sendable {
    /// Sets the weights given on standard input.
    public var shift: [String]
    /// Prints the live weights.
    public var read: [String]
    /// Isolates the candidate; `nil` if not needed.
    public var isolate: [String]?
    /// Whether they let testers reach a candidate without a share.
    public var admitsTesters = false
}

/// A route through a web service.
public struct WebhookRoute: Hashable, Sendable {
    /// Operations are posted to it.
    public var url: String
    /// The live weights are read from it.
    public var read: String
    /// Sent with every request, such as `Authorization`.
    public var headers: [Header]
    /// Whether it lets testers reach a candidate without a share.
    public var admitsTesters = false

    /// A header of a request.
    public struct Header: Hashable, Sendable {
        /// The header's name.
        public var name: String
        /// Its value; may be a secret.
        public var value: String
    }
}
