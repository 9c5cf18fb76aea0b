internal import JSON
internal import Rollback
internal import WebServer

/// What answers the requests for one path.
struct Route: Sendable {
    /// Writes the data of an API call.
    typealias APIAnswer = @Sendable (Exporter) -> (APICall, inout JSONWriter) throws(APIError) -> APINotes

    typealias PlainAnswer = @Sendable (Exporter) -> (APICall) -> HTTPServerResponse

    enum Answer: Sendable {
        /// In Prometheus's envelope.
        case api(APIAnswer)
        case plain(PlainAnswer)
    }

    /// The path with `:` for gaps; a label of the request metrics.
    var name: String
    var methods: Set<String>
    var answer: Answer
    /// Whether it waits for the store to be ready.
    var needsStore = false
    /// Whether some of its answers take next to no time and no waiting, and it says of others that they are deferred.
    var mayBeBrief = false
    /// What is said to other methods.
    var methodMessage: String?
}

/// The table of paths.
struct Routes: Sendable {
    private var exact: [String: Route] = [:]
    private var patterns: [(pieces: [Substring], route: Route)] = []

    init() {
        addAPI()
        addPlain()
        addPages()
    }

    /// The route of `path` and what stands in its gaps.
    func find(_ path: String) -> (route: Route, gaps: [String])? {
        if let route = exact[path] { return (route, []) }
        let pieces = path.split(separator: "/", omittingEmptySubsequences: false)
        for pattern in patterns where pattern.pieces.count == pieces.count {
            let pairs = zip(pattern.pieces, pieces)
            guard pairs.allSatisfy({ $0 == ":" ? !$1.isEmpty : $0 == $1 }) else { continue }
            return (pattern.route, pairs.filter { $0.0 == ":" }.map { String($0.1) })
        }
        return nil
    }

    private mutating func add(_ route: Route) {
        if route.name.contains(":") {
            patterns.append((route.name.split(separator: "/", omittingEmptySubsequences: false), route))
        } else {
            exact[route.name] = route
        }
    }

    private mutating func addAPI() {
        for entry in Self.api + Self.gates {
            add(
                Route(
                    name: "/api/v1/" + entry.path, methods: entry.methods, answer: .api(entry.answer),
                    needsStore: entry.path != "status/walreplay",
                    mayBeBrief: ["query", "query_range"].contains(entry.path)))
        }
    }

    private mutating func addPlain() {
        for entry in Self.plain {
            add(
                Route(
                    name: entry.path, methods: entry.methods, answer: .plain(entry.answer),
                    needsStore: ["/api/v1/write", "/federate"].contains(entry.path),
                    mayBeBrief: ["/-/healthy", "/-/ready", "/health", "/ready"].contains(entry.path),
                    methodMessage: entry.path.hasPrefix("/-/") ? "Only POST or PUT requests allowed" : nil))
        }
    }

    private mutating func addPages() {
        for asset in PageAsset.all {
            add(
                Route(
                    name: asset.path, methods: Self.read,
                    answer: .plain { exporter in { call in exporter.page(asset, call) } }))
        }
    }

    private static let read: Set = ["GET"]
    private static let form: Set = ["GET", "POST"]
    private static let change: Set = ["POST", "PUT"]

    private static let api: [(path: String, methods: Set<String>, answer: Route.APIAnswer)] = [
        ("query", form, Exporter.query),
        ("query_range", form, Exporter.queryRange),
        ("query_exemplars", form, Exporter.exemplars),
        ("format_query", form, Exporter.formatQuery),
        ("parse_query", form, Exporter.parseQuery),
        ("series", form, Exporter.series),
        ("labels", form, Exporter.labelNames),
        ("label/:/values", read, Exporter.labelValues),
        ("metadata", read, Exporter.metadata),
        ("targets", read, Exporter.targets),
        ("targets/metadata", read, Exporter.targetMetadata),
        ("scrape_pools", read, Exporter.scrapePools),
        ("rules", read, Exporter.rules),
        ("alerts", read, Exporter.alerts),
        ("alertmanagers", read, Exporter.alertmanagers),
        ("status/config", read, Exporter.statusConfig),
        ("status/flags", read, Exporter.statusFlags),
        ("status/buildinfo", read, Exporter.statusBuild),
        ("status/runtimeinfo", read, Exporter.statusRuntime),
        ("status/tsdb", read, Exporter.statusStore),
        ("status/walreplay", read, Exporter.statusReplay),
        ("features", read, Exporter.features),
        ("notifications", read, Exporter.notifications),
        ("rollouts", read, Exporter.rollouts),
        ("rollouts/:", read, Exporter.rollout),
        ("rollouts/:/report", read, Exporter.rolloutReport),
        ("rollouts/:/:", ["POST"], Exporter.commandRollout),
        ("history/events", read, Exporter.events),
        ("bottlenecks", read, Exporter.bottlenecks),
    ]

    private static let gates: [(path: String, methods: Set<String>, answer: Route.APIAnswer)] = {
        var entries: [(path: String, methods: Set<String>, answer: Route.APIAnswer)] = [
            ("safety/checkpoint/:/restore", ["POST"], Exporter.restoreCheckpoint)
        ]
        for kind in GateRequest.Kind.allCases {
            entries.append((kind.rawValue, form, { exporter in exporter.gates(kind) }))
            let methods = kind == .improvement ? form : read
            entries.append((kind.rawValue + "/:", methods, { exporter in exporter.gateRecord(kind) }))
        }
        return entries
    }()

    private static let plain: [(path: String, methods: Set<String>, answer: Route.PlainAnswer)] = [
        ("/", read, Exporter.redirectToPage),
        ("/ui", read, Exporter.redirectToPage),
        ("/graph", read, Exporter.redirectToQuery),
        ("/query", read, Exporter.redirectToQuery),
        ("/alerts", read, { exporter in { _ in exporter.redirect(toPart: "alerts") } }),
        ("/targets", read, { exporter in { _ in exporter.redirect(toPart: "targets") } }),
        ("/rules", read, { exporter in { _ in exporter.redirect(toPart: "rules") } }),
        ("/-/healthy", read, Exporter.healthy),
        ("/-/ready", read, Exporter.ready),
        // The names that container platforms probe.
        ("/health", read, Exporter.healthy),
        ("/ready", read, Exporter.ready),
        ("/-/reload", change, Exporter.reload),
        ("/-/quit", change, Exporter.quit),
        ("/version", read, Exporter.version),
        ("/metrics", read, Exporter.metrics),
        ("/federate", read, Exporter.federate),
        ("/api/v1/write", ["POST"], Exporter.remoteWrite),
        ("/api/v2/silences", form, Exporter.alertmanager(Exporter.silences)),
        ("/api/v2/silence/:", ["GET", "DELETE"], Exporter.alertmanager(Exporter.silence)),
        ("/api/v2/alerts", form, Exporter.alertmanager(Exporter.alertStatus)),
        ("/api/v2/alerts/groups", read, Exporter.alertmanager(Exporter.alertGroups)),
        ("/api/v2/receivers", read, Exporter.alertmanager(Exporter.receivers)),
        ("/api/v2/status", read, Exporter.alertmanager(Exporter.alertmanagerStatus)),
        // Streams are not offered; this is what a server says that has no room for another listener.
        ("/api/v1/notifications/live", read, { _ in { _ in HTTPServerResponse(status: 204) } }),
    ]
}
