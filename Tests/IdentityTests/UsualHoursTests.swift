import Identity
import TestSupport
import Testing

/// The hours at which identities are active.
@Suite struct UsualHoursTests {
    private static let day: Int64 = 86_400

    /// Hours of a person at work from 7 to 18 UTC, with an hour more or less, on five days of seven.
    private func office(_ hours: inout UsualHours, days: Range<Int64>, _ random: inout SeededGenerator) -> Int {
        var unusual = 0
        for day in days where day % 7 < 5 {
            for hour in Int64(7)...17 where random.next() % 10 < 7 {
                unusual += hours.used("alice", at: day * Self.day + hour * 3600 + Int64(random.next() % 3600)) ? 1 : 0
            }
        }
        return unusual
    }

    private func isUnusual(_ hours: inout UsualHours, _ name: String, _ seconds: Int64) -> Bool {
        hours.used(name, at: seconds)
    }

    @Test func workAtTheUsualTimesIsNeverUnusual() {
        var random = SeededGenerator(seed: 7)
        var hours = UsualHours()
        #expect(office(&hours, days: 20_000..<20_120, &random) == 0)
        // An hour earlier or later than ever is still near.
        #expect(!isUnusual(&hours, "alice", 20_120 * Self.day + 6 * 3600))
    }

    @Test func aTokenUsedAtNightIsNoticedOnceItIsKnown() {
        var random = SeededGenerator(seed: 8)
        var hours = UsualHours()
        let night = 3 * Int64(3600)
        _ = office(&hours, days: 20_000..<20_010, &random)
        #expect(!isUnusual(&hours, "alice", 20_010 * Self.day + night), "eight days say little")
        var known = UsualHours()
        _ = office(&known, days: 20_000..<20_040, &random)
        #expect(isUnusual(&known, "alice", 20_040 * Self.day + night))
        #expect(!isUnusual(&known, "alice", 20_041 * Self.day + night), "now it is known")
        #expect(!isUnusual(&known, "bob", 20_041 * Self.day + night), "of others nothing is known")
        _ = office(&known, days: 20_042..<20_080, &random)
        #expect(isUnusual(&known, "alice", 20_080 * Self.day + night), "a month later it is forgotten")
    }

    @Test func midnightIsNearOneAndEleven() {
        var hours = UsualHours()
        for day in Int64(20_000)..<20_020 { _ = hours.used("ci", at: day * Self.day + 23 * 3600) }
        #expect(!isUnusual(&hours, "ci", 20_020 * Self.day))
        #expect(isUnusual(&hours, "ci", 20_020 * Self.day + 12 * 3600))
    }

    @Test func memoryIsBounded() {
        var hours = UsualHours(capacity: 3)
        for index in 0..<100 { _ = hours.used("a\(index)", at: Int64(20_000 + index) * Self.day) }
        var small = UsualHours(capacity: 3)
        for index in 97..<100 { _ = small.used("a\(index)", at: Int64(20_000 + index) * Self.day) }
        #expect(hours == small)
    }

    @Test func oneUnusualHourBlocksNobodyButHelpsToBlock() {
        var scores = AnomalyScores()
        let key = Lockouts.Key(name: "ci", address: "192.0.2.1")
        let alone = scores.observed(.unusualHour, "1", of: key, .standard, at: 0)
        #expect(alone == nil)
        var attempts = 0
        while scores.observed(.failedLogin, "\(attempts)", of: key, .standard, at: 0) == nil { attempts += 1 }
        var other = AnomalyScores()
        var without = 0
        while other.observed(.failedLogin, "\(without)", of: key, .standard, at: 0) == nil { without += 1 }
        #expect(attempts < without)
    }
}
