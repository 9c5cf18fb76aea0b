internal import Instrumentation

/// Metrics about query servers. May be used from any thread.
final class QueryInstruments: Sendable {
    private static let queries = "tribune_query_server_queries_total"
    private static let durations = "tribune_query_server_duration_seconds"
    private static let unanswered = "tribune_query_server_unanswered"
    private static let answered = "ok"

    private let registry: Registry

    init(_ registry: Registry) {
        self.registry = registry
    }

    /// Counts a whole answer that took `seconds`.
    func answered(_ server: String, seconds: Double) {
        count(server, Self.answered)
        registry.histogram(
            Self.durations, "Time until a query server had answered a query.", labels: ["server": server]
        ).observe(seconds)
    }

    /// Counts a query without an answer that can be used.
    func failed(_ server: String, _ code: QueryFault.Code) { count(server, code.rawValue) }

    /// The groups and gates that wait for an answer.
    func failing(_ server: String) -> Gauge {
        registry.gauge(
            Self.unanswered, "Rule groups and gates whose last questions a query server has not answered.",
            labels: ["server": server])
    }

    func forget(_ server: String) {
        registry.remove(Self.durations, labels: ["server": server])
        registry.remove(Self.unanswered, labels: ["server": server])
        for result in [Self.answered] + QueryFault.Code.allCases.map(\.rawValue) {
            registry.remove(Self.queries, labels: ["server": server, "result": result])
        }
    }

    private func count(_ server: String, _ result: String) {
        registry.counter(
            Self.queries, "Queries to query servers by result.", labels: ["server": server, "result": result]
        ).add()
    }
}
