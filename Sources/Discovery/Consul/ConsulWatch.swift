internal import MetricModel

/// Which questions are asked of Consul when: blocking queries, answered when something has changed. A machine.
///
/// Times are monotonic nanoseconds.
struct ConsulWatch: Equatable {
    /// A question.
    enum Query: Hashable {
        case catalogue
        case service(String)
    }

    private struct State: Equatable {
        /// The version of the last answer; 0 for none.
        var index: UInt64 = 0
        /// When it is asked next; `nil` while the answer is waited for.
        var next: Int64?
        var asked: Int64 = 0
    }

    /// After a failure a question waits this long.
    static let retryNanoseconds: Int64 = 15_000_000_000
    private let interval: Int64
    private var states: [Query: State] = [:]

    /// - Parameters:
    ///   - services: The services that are asked for; `nil` for those of the catalogue.
    ///   - interval: The least time from question to question.
    init(services: [String]?, interval: Milliseconds, now: Int64) {
        self.interval = interval.rawValue * 1_000_000
        for query in services?.map({ Query.service($0) }) ?? [.catalogue] { states[query] = State(next: now) }
    }

    /// The earliest time at which a question is due; `nil` where answers are waited for.
    var nextDeadline: Int64? { states.values.compactMap(\.next).min() }

    /// The questions that are due, with the version behind which an answer is wanted. They count as asked.
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

    /// An answer has come. Returns whether it is news: the wait may have ended without a change.
    mutating func answered(_ query: Query, index: UInt64, now: Int64) -> Bool {
        guard let state = states[query] else { return false }
        states[query]?.next = max(now, state.asked + interval)
        guard index != state.index else { return false }
        // A version that goes back means that Consul was restored: the next question starts from the beginning.
        states[query]?.index = index < state.index ? 0 : index
        return true
    }

    /// A question has failed.
    mutating func failed(_ query: Query, now: Int64) {
        states[query]?.next = now + Self.retryNanoseconds
    }

    /// The catalogue has these services. Returns those that are gone.
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
