/// Request limits of clients: a bucket of tokens for each client, filled at a constant rate. A machine without a clock.
public struct TokenBuckets: Equatable, Sendable {
    /// A rate with a burst.
    public struct Rate: Equatable, Sendable {
        /// Requests per minute on average; 0 for no limit.
        public var perMinute: Int
        /// Maximum of requests at once.
        public var burst: Int

        /// A rate.
        public init(perMinute: Int, burst: Int) {
            self.perMinute = perMinute
            self.burst = burst
        }

        /// 1000 a minute, 200 at once.
        public static let standard = Rate(perMinute: 1000, burst: 200)
    }

    /// One client's requests of one kind.
    public struct Key: Hashable, Sendable {
        /// The proved name; empty for none.
        public var name: String
        /// The address.
        public var address: String
        /// The kind of requests.
        public var requests: RequestClass

        /// The bucket of a client's requests.
        public init(name: String, address: String, requests: RequestClass) {
            self.name = name
            self.address = address
            self.requests = requests
        }
    }

    private struct Bucket: Equatable {
        var tokens: Double
        var at: Int64
    }

    private var buckets: [Key: Bucket] = [:]
    private let capacity: Int
    /// Buckets that were dropped before they were full again, because there were too many.
    public private(set) var forgotten = 0

    /// - Parameter capacity: the limit of buckets.
    public init(capacity: Int = 10_000) {
        self.capacity = max(capacity, 2)
    }

    /// Takes one token at `now` (nanoseconds). Returns `nil`, or the nanoseconds until the next token.
    public mutating func take(_ key: Key, _ rate: Rate, at now: Int64) -> Int64? {
        guard rate.perMinute > 0 else { return nil }
        let perNanosecond = Double(rate.perMinute) / 60e9
        let burst = Double(max(rate.burst, 1))
        if buckets[key] == nil, buckets.count >= capacity { makeRoom(at: now) }
        var bucket = buckets[key] ?? Bucket(tokens: burst, at: now)
        bucket.tokens = min(burst, bucket.tokens + Double(max(now - bucket.at, 0)) * perNanosecond)
        bucket.at = now
        defer { buckets[key] = bucket }
        guard bucket.tokens >= 1 else { return Int64(((1 - bucket.tokens) / perNanosecond).rounded(.up)) }
        bucket.tokens -= 1
        return nil
    }

    /// Drops buckets that were not used for a minute; if that is less than half, any others.
    private mutating func makeRoom(at now: Int64) {
        buckets = buckets.filter { now - $0.value.at < 60_000_000_000 }
        var surplus = buckets.count - capacity / 2
        guard surplus > 0 else { return }
        forgotten += surplus
        buckets = buckets.filter { _ in
            surplus -= 1
            return surplus < 0
        }
    }
}

/// Kinds of requests with separate limits.
public enum RequestClass: String, Sendable, CaseIterable {
    /// Queries, lists, pages.
    case read
    /// Samples and alerts.
    case write
    /// Orders, silences, gates, reloads.
    case change

    /// The class of requests that need `permission`; `nil` for those without a limit.
    init?(_ permission: Permission) {
        switch permission {
        case .probe: return nil
        case .read, .audit: self = .read
        case .write, .alert: self = .write
        case .silence, .order, .gate, .verdict, .administer, .session: self = .change
        }
    }
}
