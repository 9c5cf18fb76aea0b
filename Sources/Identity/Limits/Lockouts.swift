/// Lockouts of clients after failed logins. A machine without a clock.
///
/// A lockout applies to one name at one address, so a user at another address cannot be locked out.
public struct Lockouts: Equatable, Sendable {
    /// The condition and the duration of a lockout.
    public struct Rule: Equatable, Sendable {
        /// Failures in a row; 0 for never.
        public var failures: Int
        /// Nanoseconds of the lockout, and of the time for which failures count.
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
        /// The name given by the client.
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
    /// Failures that were dropped early, because there were too many.
    public private(set) var forgotten = 0

    /// - Parameter capacity: the limit of names at addresses.
    public init(capacity: Int = 10_000) {
        self.capacity = max(capacity, 2)
    }

    /// The nanoseconds for which `key` is still locked out at `now`; `nil` if it is not.
    public func remaining(_ key: Key, at now: Int64) -> Int64? {
        guard let until = failures[key]?.lockedUntil, until > now else { return nil }
        return until - now
    }

    /// A login failed. Returns whether this locks the client out.
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

    /// A login succeeded: earlier failures no longer count.
    public mutating func succeeded(_ key: Key) {
        failures[key] = nil
    }

    /// Drops expired failures; if that is less than half, those of clients that are not locked out.
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
