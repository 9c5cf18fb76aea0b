internal import Instrumentation
internal import Synchronization

/// Counts requests by path template and status. Caches its instruments, because a lookup costs more than a short
/// response.
final class RequestInstruments: Sendable {
    private struct Key: Hashable {
        var handler: String
        var status: Int
    }

    private struct Pair: Sendable {
        var requests: Counter
        var seconds: Histogram
    }

    private let registry: Registry
    private let known = Mutex<[Key: Pair]>([:])

    init(registry: Registry) {
        self.registry = registry
    }

    func answered(handler: String, status: Int, seconds: Double) {
        let key = Key(handler: handler, status: status)
        let pair = known.withLock { $0[key] } ?? make(key)
        pair.requests.add()
        pair.seconds.observe(seconds)
    }

    private func make(_ key: Key) -> Pair {
        let pair = Pair(
            requests: registry.counter(
                "tribune_http_requests_total", "Requests answered, by path and status.",
                labels: ["handler": key.handler, "code": "\(key.status)"]),
            seconds: registry.histogram(
                "tribune_http_request_duration_seconds", "Time from the complete request to its response, in seconds.",
                labels: ["handler": key.handler]))
        known.withLock { $0[key] = pair }
        return pair
    }
}
