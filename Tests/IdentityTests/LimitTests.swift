import Identity
import Testing

@Suite struct TokenBucketsTests {
    private let second: Int64 = 1_000_000_000
    private func key(_ address: String, _ requests: RequestClass = .read) -> TokenBuckets.Key {
        .init(name: "", address: address, requests: requests)
    }

    @Test func aBurstIsAllowedThenTheRate() {
        var buckets = TokenBuckets()
        let rate = TokenBuckets.Rate(perMinute: 60, burst: 3)
        func wait(_ key: TokenBuckets.Key, at now: Int64) -> Int64 { buckets.take(key, rate, at: now) ?? 0 }
        #expect((0..<3).map { _ in wait(key("a"), at: 0) } == [0, 0, 0])
        #expect(wait(key("a"), at: 0) == second)
        #expect(wait(key("a"), at: second / 2) == second / 2)
        #expect(wait(key("a"), at: second) == 0)
        #expect(wait(key("b"), at: second) == 0, "another client has a bucket of its own")
        #expect(wait(key("a", .change), at: second) == 0, "and so has another class")
    }

    @Test func theStandardRateLetsAThousandThroughInAMinute() {
        var buckets = TokenBuckets()
        var taken = 0
        // 50 a second for a minute, after the burst is used up.
        for _ in 0..<200 where buckets.take(key("a"), .standard, at: 0) == nil { taken += 1 }
        #expect(taken == 200)
        for step in Int64(1)...3000 where buckets.take(key("a"), .standard, at: step * second / 50) == nil {
            taken += 1
        }
        #expect((1199...1200).contains(taken), "\(taken)")
    }

    @Test func zeroIsNoLimitAndClocksThatGoBackDoNoHarm() {
        var buckets = TokenBuckets()
        let unlimited = (0..<1000).compactMap { _ in buckets.take(key("a"), .init(perMinute: 0, burst: 0), at: 0) }
        #expect(unlimited.isEmpty)
        let waits = [10 * second, 0].map { buckets.take(key("a"), .init(perMinute: 60, burst: 1), at: $0) }
        #expect(waits[0] == nil && waits[1] != nil)
    }

    @Test func manyClientsDoNotFillTheMemory() {
        var buckets = TokenBuckets(capacity: 100)
        for number in 0..<1000 { _ = buckets.take(key("\(number)"), .standard, at: Int64(number)) }
        #expect(buckets.forgotten > 0)
        let before = buckets.forgotten
        for number in 0..<100 { _ = buckets.take(key("x\(number)"), .standard, at: 100 * second) }
        #expect(buckets.forgotten == before, "clients of a minute ago make room without a loss")
    }
}

@Suite struct LockoutsTests {
    private let minute: Int64 = 60 * 1_000_000_000
    private let alice = Lockouts.Key(name: "alice", address: "10.0.0.1")
    private var lockouts = Lockouts()

    private mutating func fail(_ key: Lockouts.Key? = nil, at now: Int64) -> Bool {
        lockouts.failed(key ?? alice, .standard, at: now)
    }

    @Test mutating func threeFailuresLockOutForFifteenMinutes() {
        let first = [fail(at: 0), fail(at: minute)]
        #expect(first == [false, false])
        #expect(lockouts.remaining(alice, at: minute) == nil)
        let third = fail(at: 2 * minute)
        #expect(third)
        #expect(lockouts.remaining(alice, at: 2 * minute) == 15 * minute)
        #expect(lockouts.remaining(alice, at: 16 * minute) == minute)
        #expect(lockouts.remaining(alice, at: 17 * minute) == nil)
        let later = fail(at: 17 * minute)
        #expect(!later, "it counts from the beginning again")
    }

    @Test mutating func othersAreNotLockedOut() {
        for _ in 0..<3 { _ = fail(at: 0) }
        #expect(lockouts.remaining(.init(name: "alice", address: "10.0.0.2"), at: 0) == nil)
        #expect(lockouts.remaining(.init(name: "bob", address: "10.0.0.1"), at: 0) == nil)
    }

    @Test mutating func successAndTimeForgive() {
        for _ in 0..<2 { _ = fail(at: 0) }
        lockouts.succeeded(alice)
        let failures = [fail(at: minute), fail(at: minute), fail(at: 20 * minute)]
        #expect(failures == [false, false, false])
        let never = lockouts.failed(alice, .init(failures: 0, nanoseconds: 1), at: 0)
        #expect(!never)
    }

    @Test func manyNamesDoNotFillTheMemory() {
        var lockouts = Lockouts(capacity: 100)
        for _ in 0..<3 { _ = lockouts.failed(alice, .standard, at: 0) }
        for number in 0..<1000 { _ = lockouts.failed(.init(name: "\(number)", address: "a"), .standard, at: 0) }
        #expect(lockouts.forgotten > 0)
        #expect(lockouts.remaining(alice, at: minute) != nil, "who is locked out stays so")
    }
}
