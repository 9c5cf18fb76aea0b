/// Which clients are locked out after failed logins. A machine without a clock.
///
/// A lockout concerns one name at one address: nobody can lock out a user who is somewhere else.
public struct Lockouts: Equatable, Sendable {
    /// When a client is locked out, and for how long.
    public struct Rule: Equatable, Sendable {
        /// Failures in a row; 0 for never.
        public var failures: Int
        /// Nanoseconds of the lockout; also how long failures count.
        public var nanoseconds: Int64

        /// A rule.
        public init(failures: Int, nanoseconds: Int64) {
            self.failures = failures
            self.nanoseconds = nanoseconds
        }

        /// 15 minutes after 3 failures.
        public static let standard = Rule(failures: 3, nanoseconds: 15 * 60 * 1_000_000_000)
    }

    /// A name at an address.
    public struct Key: Hashable, Sendable {
        /// The name that was given.
        public var name: String
        /// The address.
        public var address: String

        /// A name at an address.
        public init(name: String, address: String) {
            self.name = name
            self.address = address
        }
    }

    private struct Failures: Equatable {
        var count: Int
        var last: Int64
        var lockedUntil: Int64?
    }

    private var failures: [Key: Failures] = [:]
    private let capacity: Int
    /// Failures that were forgotten before their time, because there were too many.
    public private(set) var forgotten = 0

    /// - Parameter capacity: Names at addresses kept at once.
    public init(capacity: Int = 10_000) {
        self.capacity = max(capacity, 2)
    }

    /// For how many nanoseconds `key` is still locked out at `now`; `nil` where it is not.
    public func remaining(_ key: Key, at now: Int64) -> Int64? {
        guard let until = failures[key]?.lockedUntil, until > now else { return nil }
        return until - now
    }

    /// A login failed. Returns whether that locks the client out.
    public mutating func failed(_ key: Key, _ rule: Rule, at now: Int64) -> Bool {
        guard rule.failures > 0 else { return false }
        if failures[key] == nil, failures.count >= capacity { makeRoom(rule, at: now) }
        var entry = failures[key] ?? Failures(count: 0, last: now)
        if now - entry.last > rule.nanoseconds { entry.count = 0 }
        if let until = entry.lockedUntil, until <= now { entry = Failures(count: 0, last: now) }
        entry.count += 1
        entry.last = now
        let isNew = entry.count >= rule.failures && entry.lockedUntil == nil
        if isNew { entry.lockedUntil = now + rule.nanoseconds }
        failures[key] = entry
        return isNew
    }

    /// A login succeeded: what failed before does not count any more.
    public mutating func succeeded(_ key: Key) {
        failures[key] = nil
    }

    /// Forgets failures that are over; where that is less than half, those of clients that are not locked out.
    private mutating func makeRoom(_ rule: Rule, at now: Int64) {
        failures = failures.filter { now - $0.value.last < rule.nanoseconds }
        if failures.count >= capacity / 2 {
            let before = failures.count
            failures = failures.filter { $0.value.lockedUntil != nil }
            if failures.count >= capacity / 2 { failures = [:] }
            forgotten += before - failures.count
        }
    }
}
