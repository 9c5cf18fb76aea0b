import MetricModel
import Notification
import RuleModel
import Testing
import YAML

/// Times are seconds after the start of each test.
@Suite struct SilenceSetTests {
    private func at(_ seconds: Int64) -> Timestamp { Timestamp(milliseconds: seconds * 1000) }

    private func silence(
        _ matchers: [String] = ["alertname=A"], from start: Int64 = 0, to end: Int64 = 100, id: String = "",
        comment: String = "because"
    ) throws -> Silence {
        Silence(
            id: id, matchers: try matchers.map { try LabelMatcher(parsing: $0) }, startsAt: at(start), endsAt: at(end),
            createdBy: "ada", comment: comment)
    }

    private func set(limits: SilenceSet.Limits = .init(), _ silence: Silence...) throws -> SilenceSet {
        var set = SilenceSet(limits: limits)
        for (index, one) in silence.enumerated() { _ = try set.set(one, newID: "s\(index + 1)", at: at(0)) }
        return set
    }

    @Test func aSilenceIsPendingThenActiveThenExpired() throws {
        let set = try set(try silence(from: 10, to: 20))
        let one = try #require(set["s1"])
        #expect([9, 10, 19, 20].map { one.state(at: at($0)) } == [.pending, .active, .active, .expired])
        #expect([9, 10, 19, 20].map { set.active(at: at($0)).count } == [0, 1, 1, 0])
        #expect((one.createdBy, one.comment, one.updatedAt) == ("ada", "because", at(0)))
    }

    @Test func everyKindOfMatcherMustHold() throws {
        let one = try silence(["alertname=~\"A|B\"", "team!=x", "env!~\"dev.*\"", "region=eu"])
        #expect(one.matches(["alertname": "A", "region": "eu"]))
        #expect(one.matches(["alertname": "B", "region": "eu", "team": "y", "env": "prod"]))
        #expect(!one.matches(["alertname": "AB", "region": "eu"]))
        #expect(!one.matches(["alertname": "A", "region": "eu", "team": "x"]))
        #expect(!one.matches(["alertname": "A", "region": "eu", "env": "dev1"]))
        #expect(!one.matches(["alertname": "A"]))
        #expect(one.matcherText == #"{alertname=~"A|B",team!="x",env!~"dev.*",region="eu"}"#)
    }

    private static let refusals: [(matchers: [String], start: Int64, end: Int64, reason: String)] = [
        ([], 0, 10, "a silence needs at least one matcher"),
        (["a=", "b=~\".*\""], 0, 10, "at least one matcher must not match the empty string"),
        (["a=b"], 10, 10, "the start must be before the end"), (["a=b"], -20, 0, "the end must not be in the past"),
    ]

    @Test(arguments: refusals)
    func senselessSilencesAreRefused(matchers: [String], start: Int64, end: Int64, reason: String) throws {
        var set = SilenceSet()
        let wanted = try silence(matchers, from: start, to: end)
        let error = #expect(throws: SilenceError.self) { try set.set(wanted, newID: "n", at: at(0)) }
        #expect(error == SilenceError(.invalid, reason))
        #expect(set == SilenceSet())
    }

    @Test func oneMatcherThatSaysSomethingIsEnough() throws {
        let set = try set(try silence(["a=\"\"", "b=~\".+\""]), try silence(["a!=\"\""]))
        #expect(set.all.count == 2)
    }

    @Test func aStartInThePastBecomesNow() throws {
        var set = SilenceSet()
        let (id, changes) = try set.set(try silence(from: 0, to: 100), newID: "n", at: at(50))
        #expect(set[id]?.startsAt == at(50))
        #expect(changes == [.created(try #require(set["n"]))])
    }

    @Test func aLaterEndKeepsTheID() throws {
        var set = try set(try silence())
        let before = try #require(set["s1"])
        let (id, changes) = try set.set(
            try silence(to: 500, id: "s1", comment: "longer"), newID: "n", at: at(50))
        #expect(id == "s1")
        let after = try #require(set["s1"])
        #expect((after.startsAt, after.endsAt, after.updatedAt, after.comment) == (at(0), at(500), at(50), "longer"))
        #expect(changes == [.updated(after, before: before)])
        #expect(set.all.count == 1)
    }

    @Test func whatWasSilencedIsNeverRewritten() throws {
        // Other matchers, or another start of a silence that has started.
        for wanted in [try silence(["alertname=B"], id: "s1"), try silence(from: 20, id: "s1")] {
            var set = try set(try silence())
            let (id, changes) = try set.set(wanted, newID: "n", at: at(50))
            #expect(id == "n")
            let old = try #require(set["s1"])
            #expect((old.startsAt, old.endsAt, old.matchers) == (at(0), at(50), try silence().matchers))
            let new = try #require(set["n"])
            #expect((new.startsAt, new.endsAt, new.matchers) == (at(50), at(100), wanted.matchers))
            #expect(changes == [.expired(old, replacedBy: "n"), .created(new)])
        }
    }

    @Test func aPendingSilenceMayBeMoved() throws {
        var set = try set(try silence(from: 60, to: 100))
        #expect(try set.set(try silence(from: 80, to: 90, id: "s1"), newID: "n", at: at(50)).id == "s1")
        #expect(set["s1"]?.startsAt == at(80))
        // Not into the past.
        #expect(try set.set(try silence(from: 40, to: 90, id: "s1"), newID: "n", at: at(50)).id == "n")
        #expect(set["s1"]?.state(at: at(50)) == .expired)
        #expect(set["n"]?.startsAt == at(50))
    }

    @Test func anExpiredSilenceIsMadeAnew() throws {
        var set = try set(try silence())
        let (id, changes) = try set.set(try silence(from: 0, to: 900, id: "s1"), newID: "n", at: at(200))
        #expect(id == "n")
        #expect(changes == [.created(try #require(set["n"]))])
        #expect(set["s1"]?.endsAt == at(100))
    }

    @Test func silencesAreEndedOnce() throws {
        var set = try set(try silence(), try silence(from: 60))
        let active = try set.expire("s1", at: at(50))
        #expect(active == [.expired(try #require(set["s1"]), replacedBy: nil)])
        #expect(set["s1"]?.endsAt == at(50))
        #expect(try set.expire("s1", at: at(70)).isEmpty)
        #expect(set["s1"]?.endsAt == at(50))
        _ = try set.expire("s2", at: at(50))
        #expect(set["s2"]?.startsAt == at(50) && set["s2"]?.endsAt == at(50))
        let error = #expect(throws: SilenceError.self) { try set.expire("s3", at: at(50)) }
        #expect(error?.code == .notFound)
        #expect(throws: SilenceError(.notFound, "no silence with id s3")) {
            try set.set(try silence(id: "s3"), newID: "n", at: at(0))
        }
        // A silence ended by a user is not reported again at its original end.
        #expect(set.advanced(to: at(1000)).isEmpty)
    }

    @Test func theEndIsReportedOnceAndTheSilenceForgottenAfterTheRetention() throws {
        var set = try set(try silence())
        #expect(set.advanced(to: at(99)).isEmpty)
        #expect(set.advanced(to: at(100)) == [.ended(try #require(set["s1"]))])
        #expect(set.advanced(to: at(101)).isEmpty)
        let gone = at(100) + SilenceSet.Limits().retention
        _ = set.advanced(to: gone - .seconds(1))
        #expect(set.all.count == 1)
        _ = set.advanced(to: gone)
        #expect(set.all.isEmpty)
    }

    @Test func numberAndSizeAreLimited() throws {
        var limits = SilenceSet.Limits()
        limits.count = 1
        limits.bytes = 400
        var set = try set(limits: limits, try silence())
        let full = #expect(throws: SilenceError.self) { try set.set(try silence(), newID: "n", at: at(0)) }
        #expect(full?.code == .full)
        // A changed silence takes no room; a replaced one does, because both are kept.
        #expect(try set.set(try silence(to: 200, id: "s1"), newID: "n", at: at(0)).id == "s1")
        #expect(throws: SilenceError.self) { try set.set(try silence(["x=y"], id: "s1"), newID: "n", at: at(10)) }
        #expect(set["s1"]?.state(at: at(10)) == .active)
        let long = try silence(to: 200, id: "s1", comment: String(repeating: "x", count: 400))
        let error = #expect(throws: SilenceError.self) { try set.set(long, newID: "n", at: at(0)) }
        #expect(error?.code == .invalid)
    }

    // MARK: In the queue

    private func queue() throws -> NotificationQueue {
        let text = """
            route: {receiver: a, group_wait: 0s, group_interval: 1m}
            receivers: [{name: a, webhook_configs: [{url: "http://127.0.0.1:9/"}]}]
            """
        return NotificationQueue(
            try NotificationConfiguration(try #require(try YAML.parse(text).first), file: ""))
    }

    private func alert(_ labels: Labels, resolved end: Int64? = nil) -> Alert {
        Alert(
            labels: labels, annotations: [:], startsAt: at(0), endsAt: at(end ?? 100_000), isResolved: end != nil,
            generatorURL: "", value: 1)
    }

    @Test func nobodyIsToldOfSilencedAlertsUntilTheSilenceIsOver() throws {
        var queue = try queue()
        let silences = try set(try silence(to: 150))
        queue.received([alert(["alertname": "A"]), alert(["alertname": "B"])], urgent: true, at: at(0))
        let first = try #require(queue.advanced(to: at(0), silences: silences.active(at: at(0))).first)
        #expect(first.notification.alerts.map { $0.labels["alertname"] } == ["B"])
        #expect(queue.takeSuppressed() == [.silence: 1])
        queue.delivered(first.id, at: at(0))
        for second: Int64 in [60, 120] {
            #expect(queue.advanced(to: at(second), silences: silences.active(at: at(second))).isEmpty)
        }
        let later = queue.advanced(to: at(180), silences: silences.active(at: at(180)))
        #expect(later.first?.notification.alerts.map { $0.labels["alertname"] } == ["A", "B"])
    }

    @Test func theEndOfASilencedAlertIsToldWhenTheSilenceIsOver() throws {
        var queue = try queue()
        queue.received([alert(["alertname": "A"])], at: at(0))
        queue.delivered(try #require(queue.advanced(to: at(0)).first).id, at: at(0))
        let silences = try set(try silence(to: 100)).active(at: at(10))
        queue.received([alert(["alertname": "A"], resolved: 30)], at: at(30))
        #expect(queue.advanced(to: at(60), silences: silences).isEmpty)
        #expect(queue.advanced(to: at(120)).first?.notification.isResolved == true)
    }
}
