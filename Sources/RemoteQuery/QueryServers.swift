internal import CurlHTTP
public import Instrumentation
public import MetricModel
public import PromQL
public import Runtime
internal import Synchronization

/// The query servers of the configuration: asks them, and knows which do not answer. May be used from any thread.
public final class QueryServers: Sendable {
    /// A server that has not answered for some time.
    public struct Trouble: Equatable, Sendable {
        /// The server's name.
        public var server: String
        /// Since when something has not been answered, as milliseconds of the wall clock.
        public var since: Timestamp
        /// The last reason.
        public var reason: String
        /// How many groups, or gates, wait for an answer.
        public var askers: Int
    }

    private struct Failing {
        var since: Timestamp
        var reason: String
    }

    private struct State {
        var servers: [String: QueryServerSettings] = [:]
        /// By server and asker.
        var failing: [String: [String: Failing]] = [:]
    }

    private let state = Mutex(State())
    private let client = HTTPClient()
    private let instruments: QueryInstruments
    private let now: @Sendable () -> Timestamp

    /// Without servers.
    public init(
        registry: Registry,
        now: @escaping @Sendable () -> Timestamp = { Timestamp(milliseconds: SystemClock.wallMilliseconds()) }
    ) {
        instruments = QueryInstruments(registry)
        self.now = now
    }

    /// Replaces the servers. Queries under way end as they began.
    public func reload(_ servers: [QueryServerSettings]) {
        let gone = state.withLock { state in
            let former = Set(state.servers.keys)
            state.servers = Dictionary(servers.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
            let gone = former.subtracting(state.servers.keys)
            for name in gone { state.failing[name] = nil }
            return gone
        }
        for name in gone { instruments.forget(name) }
        for server in servers { instruments.failing(server.name).set(Double(askers(of: server.name))) }
    }

    /// The value of `expression` at `time`. Blocks until the server has answered, for at most its timeout.
    ///
    /// - Parameters:
    ///   - deadline: nanoseconds of the monotonic clock; `nil` for the server's timeout alone.
    ///   - isCancelled: called about once a second; `true` ends the wait.
    /// - Throws: for everything that is not the whole answer.
    public func value(
        _ expression: String, at time: Timestamp, of name: String, until deadline: Int64? = nil,
        isCancelled: (@Sendable () -> Bool)? = nil
    ) throws(QueryFault) -> QueryValue {
        guard let server = state.withLock({ $0.servers[name] }) else {
            throw QueryFault(.refused, "there is no query server \"\(name)\"")
        }
        let start = SystemClock.monotonicNanoseconds()
        do throws(QueryFault) {
            let value = try ask(server, expression, at: time, until: deadline, start, isCancelled)
            instruments.answered(name, seconds: Double(SystemClock.monotonicNanoseconds() - start) / 1e9)
            return value
        } catch {
            instruments.failed(name, error.code)
            throw QueryFault(error.code, "query server \(name): \(error.description)")
        }
    }

    private func ask(
        _ server: QueryServerSettings, _ expression: String, at time: Timestamp, until deadline: Int64?,
        _ start: Int64, _ isCancelled: (@Sendable () -> Bool)?
    ) throws(QueryFault) -> QueryValue {
        let left = deadline.map { ($0 - start) / 1_000_000 } ?? server.timeout.rawValue
        guard left > 0 else { throw QueryFault(.timeout, "not asked: the time of the evaluation is over") }
        let response: HTTPResponse
        do throws(HTTPFailure) {
            let request = try server.request(expression, at: time, within: min(left, server.timeout.rawValue))
            response = try client.send(request, isCancelled: isCancelled)
        } catch {
            throw QueryFault(Self.code(of: error), error.message)
        }
        guard (200..<300).contains(response.status) else {
            let said = QueryAnswer.message(in: response.body).map { ": \($0)" } ?? ""
            throw QueryFault(.status, "status \(response.status)\(said)")
        }
        return try QueryAnswer.value(in: response.body, at: time)
    }

    private static func code(of failure: HTTPFailure) -> QueryFault.Code {
        switch failure.code {
        case .timeout: .timeout
        case .bodyTooLarge, .budgetExceeded: .size
        case .cancelled: .cancelled
        case .badURL, .badRequest, .refused: .refused
        case .resolve, .connect, .tls, .other: .connection
        }
    }

    // MARK: Troubles

    /// All questions of `asker` to the server `name` have been answered, or not because of `failure`.
    public func finished(asker: String, of name: String, failure: String?) {
        let now = now()
        let count = state.withLock { state -> Int? in
            guard state.servers[name] != nil else { return nil }
            let since = state.failing[name]?[asker]?.since ?? now
            state.failing[name, default: [:]][asker] = failure.map { Failing(since: since, reason: $0) }
            return state.failing[name]?.count ?? 0
        }
        if let count { instruments.failing(name).set(Double(count)) }
    }

    private func askers(of name: String) -> Int { state.withLock { $0.failing[name]?.count ?? 0 } }

    /// The servers that have left something unanswered, sorted by name.
    public var troubles: [Trouble] {
        state.withLock { state in
            state.failing.compactMap { name, askers in
                guard let oldest = askers.values.min(by: { $0.since < $1.since }) else { return nil }
                return Trouble(server: name, since: oldest.since, reason: oldest.reason, askers: askers.count)
            }.sorted { ByteOrder.precedes($0.server, $1.server) }
        }
    }
}
