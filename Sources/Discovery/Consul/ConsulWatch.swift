internal import MetricModel

/// The queries to Consul and their times: blocking queries, whose responses arrive after a change. A machine.
///
/// Times are monotonic nanoseconds.
struct ConsulWatch: Equatable {
    /// A query.
    enum Query: Hashable {
        case catalogue
        case service(String)
    }

    private struct State: Equatable {
        /// The version of the last response; 0 for none.
        var index: UInt64 = 0
        /// When the next query is sent; `nil` while a response is pending.
        var next: Int64?
        var asked: Int64 = 0
    }

    /// The pause of a query after a failure.
    static let retryNanoseconds: Int64 = 15_000_000_000
    private let interval: Int64
    private var states: [Query: State] = [:]

    /// - Parameters:
    ///   - services: the services to query; `nil` for those of the catalogue.
    ///   - interval: the minimum interval of queries.
    init(services: [String]?, interval: Milliseconds, now: Int64) {
        self.interval = interval.rawValue * 1_000_000
        for query in services?.map({ Query.service($0) }) ?? [.catalogue] { states[query] = State(next: now) }
    }

    /// The earliest time at which a query is due; `nil` while responses are pending.
    var nextDeadline: Int64? { states.values.compactMap(\.next).min() }

    /// The queries that are due, with the version after which a response is wanted. They count as sent.
    mutating func due(now: Int64) -> [(query: Query, index: UInt64)] {
        var queries: [(Query, UInt64)] = []
        for (query, state) in states {
            guard let next = state.next, next <= now else { continue }
            states[query]?.next = nil
            states[query]?.asked = now
            queries.append((query, state.index))
        }
        return queries
    }

    /// A response has arrived. Returns whether it has changes: the wait may have ended without one.
    mutating func answered(_ query: Query, index: UInt64, now: Int64) -> Bool {
        guard let state = states[query] else { return false }
        states[query]?.next = max(now, state.asked + interval)
        guard index != state.index else { return false }
        // A decreasing version means that Consul was restored: the next query starts from the beginning.
        states[query]?.index = index < state.index ? 0 : index
        return true
    }

    /// A query has failed.
    mutating func failed(_ query: Query, now: Int64) {
        states[query]?.next = now + Self.retryNanoseconds
    }

    /// The catalogue has these services. Returns the removed ones.
    mutating func listed(_ services: Set<String>, now: Int64) -> [String] {
        for name in services where states[.service(name)] == nil { states[.service(name)] = State(next: now) }
        var gone: [String] = []
        for query in states.keys {
            guard case .service(let name) = query, !services.contains(name) else { continue }
            states[query] = nil
            gone.append(name)
        }
        return gone
    }
}
