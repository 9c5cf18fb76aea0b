import MetricModel
import Runtime
import Testing

@testable import OnCall

@Suite struct DigestTests {
    private func time(_ text: String) -> Timestamp { Timestamp(milliseconds: RFC3339.milliseconds(parsing: text) ?? 0) }

    @Test func `its times keep the local clock over a change of clocks`() throws {
        let berlin = try TimeZone.load("Europe/Berlin")
        func digest(_ period: Digest.Period) -> Digest {
            Digest(name: "d", receiver: "r", zone: berlin, period: period)
        }
        let daily = digest(.daily(minute: 9 * 60))
        #expect(daily.next(after: time("2026-03-28T08:00:00Z")) == time("2026-03-29T07:00:00Z"))
        #expect(daily.next(after: time("2026-03-28T07:59:59Z")) == time("2026-03-28T08:00:00Z"))
        #expect(daily.previous(before: time("2026-03-29T07:00:00Z")) == time("2026-03-28T08:00:00Z"))
        let weekly = digest(.weekly(weekday: 1, minute: 60))
        #expect(weekly.next(after: time("2026-03-23T00:00:00Z")) == time("2026-03-29T23:00:00Z"))
        #expect(weekly.previous(before: time("2026-03-29T23:00:00Z")) == time("2026-03-23T00:00:00Z"))
        #expect(digest(.hourly).next(after: time("2026-03-28T08:00:00Z")) == time("2026-03-28T09:00:00Z"))
        #expect(digest(.hourly).previous(before: time("2026-03-28T09:00:00Z")) == time("2026-03-28T08:00:00Z"))
    }

    @Test func `pages of its policies are in it once, it is sent again after a failure, and it needs no answer`() throws
    {
        var roster = Roster()
        roster.digests["h"] = Digest(name: "h", receiver: "mail", zone: .utc, period: .hourly)
        roster.policies["medium"] = EscalationPolicy(
            name: "medium", steps: [.init(delay: .zero, targets: [.digest("h")])], repeats: 0,
            roundLength: .minutes(15), expectsAnswer: false)
        roster.policies["other"] = EscalationPolicy(
            name: "other", steps: [.init(delay: .zero, targets: [.receiver("r")])], repeats: 0,
            roundLength: .minutes(15), expectsAnswer: false)
        var book = PageBook(roster)
        func problem(_ key: String, _ policy: String) -> Problem {
            Problem(key: key, title: key, source: "s", labels: ["alertname": "Disk"], policy: policy)
        }
        let start = time("2026-03-28T08:10:00Z")
        _ = book.clockReached(start)
        for (key, policy) in [("a", "medium"), ("b", "medium"), ("c", "other")] {
            let actions = book.triggered(problem(key, policy), id: key, at: start)
            #expect(!actions.contains { if case .raise = $0 { true } else { false } })
        }
        _ = book.ended("b", by: "s", at: start + .minutes(5))
        func contents(_ actions: [PageBook.Action]) -> [DigestContent] {
            actions.compactMap { if case .sendDigest(let content) = $0 { content } else { nil } }
        }
        let nine = time("2026-03-28T09:00:00Z")
        let early = book.clockReached(nine - .milliseconds(1))
        #expect(contents(early).isEmpty && !early.contains { if case .raise = $0 { true } else { false } })
        #expect(book.wakeAt == nine)
        let content = try #require(contents(book.clockReached(nine)).first)
        #expect(content.entries.map(\.page.id) == ["a", "b"] && content.summary == "2 pages, 1 open: Disk 2")
        book.digestFailed(content, at: nine)
        let again = contents(book.clockReached(nine + .minutes(1)))
        #expect(again.map(\.failures) == [1] && again.map(\.entries) == [content.entries])
        #expect(contents(book.clockReached(nine + .minutes(60))).isEmpty)
        #expect(book.checkInvariants() == [])
    }
}
