/// How much each client behaves like an attacker, and which are blocked for that. A machine without a clock.
///
/// Failures of a client are evidence. New failures count much: a scanner requests ever new paths, a guesser tries ever
/// new secrets. A repeated failure counts little and up to a limit: a dashboard with an expired token repeats the same
/// request all day. Evidence halves every ten minutes. The score is 1 − e^(−evidence).
public struct AnomalyScores: Equatable, Sendable {
    /// The kind of failure.
    public enum Evidence: String, Sendable, CaseIterable {
        /// A password or a token was wrong.
        case failedLogin
        /// A path that does not exist.
        case unknownRoute
        /// A request without the permission, of a page of another site, or under another host name.
        case denied
        /// Another error of the client.
        case clientError
        /// More requests than the limit.
        case tooManyRequests
        /// An identity is active at an hour of the day at which it never is.
        case unusualHour

        /// How much something new of this kind counts.
        var weight: Double {
            switch self {
            case .failedLogin: 0.25
            // Alone it blocks nobody: people are called at night.
            case .unusualHour: 0.4
            case .unknownRoute: 0.1
            case .denied: 0.06
            case .clientError: 0.03
            case .tooManyRequests: 0.02
            }
        }
    }

    /// When a client is blocked.
    public struct Rule: Equatable, Sendable {
        /// The score from which on it is; above 1 for never.
        public var threshold: Double
        /// For how long, in nanoseconds.
        public var nanoseconds: Int64

        /// A rule.
        public init(threshold: Double, nanoseconds: Int64) {
            self.threshold = threshold
            self.nanoseconds = nanoseconds
        }

        /// 0.8, for 15 minutes.
        public static let standard = Rule(threshold: 0.8, nanoseconds: 15 * 60 * 1_000_000_000)
    }

    private struct Client: Equatable {
        var new = 0.0
        var repeated = 0.0
        var at: Int64
        /// Earlier failures, by their hash; beyond the limit the oldest is dropped.
        var seen: [UInt64] = []
        var blockedUntil: Int64?

        var score: Double { 1 - Self.power(-(new + repeated)) }

        /// e^x without the C library, for x ≤ 0: the machine needs no IO and no platform.
        private static func power(_ x: Double) -> Double {
            // (1 + x/1024)^1024 by squaring: off by less than 1 % where it matters.
            if x < -30 { return 0 }
            var value = 1 + x / 1024
            for _ in 0..<10 { value *= value }
            return value
        }

        mutating func decay(to now: Int64) {
            let halves = Double(max(now - at, 0)) / AnomalyScores.halfLife
            at = max(now, at)
            if halves > 60 {
                (new, repeated, seen) = (0, 0, [])
                return
            }
            // 2^-halves = e^(-halves · ln 2)
            let factor = Self.power(-halves * 0.693_147)
            new *= factor
            repeated *= factor
        }
    }

    private static let halfLife = 600e9
    private static let seenLimit = 128
    private static let repeatedLimit = 0.7
    private static let repeatedShare = 0.05

    private var clients: [Lockouts.Key: Client] = [:]
    private let capacity: Int
    /// Clients that were forgotten before their time, because there were too many.
    public private(set) var forgotten = 0

    /// - Parameter capacity: Clients kept at once.
    public init(capacity: Int = 10_000) {
        self.capacity = max(capacity, 2)
    }

    /// Something went wrong for a client. Returns its score where that blocks it from now on.
    ///
    /// - Parameter detail: What is new or repeated: the path, or the secret's hash.
    public mutating func observed(
        _ evidence: Evidence, _ detail: String, of key: Lockouts.Key, _ rule: Rule, at now: Int64
    ) -> Double? {
        if clients[key] == nil, clients.count >= capacity { makeRoom(at: now) }
        var client = clients[key] ?? Client(at: now)
        client.decay(to: now)
        let hash = Self.hash(evidence.rawValue + " " + detail)
        if client.seen.contains(hash) {
            client.repeated = min(client.repeated + evidence.weight * Self.repeatedShare, Self.repeatedLimit)
        } else {
            client.new += evidence.weight
            if client.seen.count >= Self.seenLimit { client.seen.removeFirst() }
            client.seen.append(hash)
        }
        defer { clients[key] = client }
        if let until = client.blockedUntil, until > now { return nil }
        let score = client.score
        guard score >= rule.threshold else { return nil }
        client.blockedUntil = now + rule.nanoseconds
        return score
    }

    /// The score of a client, 0 to 1.
    public func score(of key: Lockouts.Key, at now: Int64) -> Double {
        guard var client = clients[key] else { return 0 }
        client.decay(to: now)
        return client.score
    }

    /// For how many nanoseconds a client is still blocked; `nil` where it is not.
    public func remaining(_ key: Lockouts.Key, at now: Int64) -> Int64? {
        guard let until = clients[key]?.blockedUntil, until > now else { return nil }
        return until - now
    }

    /// How many clients are blocked.
    public func blockedCount(at now: Int64) -> Int {
        clients.values.count { $0.blockedUntil.map { $0 > now } ?? false }
    }

    /// Forgets what is known of every client at `address`. Returns whether one was blocked.
    public mutating func pardon(address: String, at now: Int64) -> Bool {
        let known = clients.filter { $0.key.address == address }
        for key in known.keys { clients[key] = nil }
        return known.values.contains { $0.blockedUntil.map { $0 > now } ?? false }
    }

    /// Forgets clients of an hour ago; where that is less than half, those that are not blocked.
    private mutating func makeRoom(at now: Int64) {
        clients = clients.filter { now - $0.value.at < 3_600_000_000_000 || ($0.value.blockedUntil ?? now) > now }
        if clients.count < capacity / 2 { return }
        let before = clients.count
        clients = clients.filter { ($0.value.blockedUntil ?? now) > now }
        if clients.count >= capacity / 2 { clients = [:] }
        forgotten += before - clients.count
    }

    /// FNV-1a, which gives the same in every process.
    private static func hash(_ text: String) -> UInt64 {
        text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
