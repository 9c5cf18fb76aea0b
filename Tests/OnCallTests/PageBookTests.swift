import JSON
import MetricModel
import Testing

@testable import OnCall

@Suite struct PageBookTests {
    private static let roster: Roster = {
        var roster = Roster()
        roster.people["ada"] = .init(name: "ada", contacts: [.init(receiver: "push", delay: .zero)])
        roster.policies["p"] = EscalationPolicy(
            name: "p",
            steps: [
                .init(delay: .zero, targets: [.person("ada")]), .init(delay: .minutes(5), targets: [.receiver("lead")]),
            ], repeats: 0, roundLength: .minutes(20))
        roster.policies["quiet"] = EscalationPolicy(
            name: "quiet", steps: [.init(delay: .zero, targets: [.receiver("chat")])], repeats: 0,
            roundLength: .minutes(20))
        roster.policies["nobody"] = EscalationPolicy(
            name: "nobody", steps: [.init(delay: .zero, targets: [.schedule("gone")])], repeats: 0,
            roundLength: .minutes(20))
        return roster
    }()

    private let ada = PageActor(identity: "ada", method: "token")

    private func minute(_ minutes: Int64) -> Timestamp { Timestamp(milliseconds: minutes * 60_000) }

    private func problem(_ key: String, policy: String = "p", alert: String? = nil) -> Problem {
        Problem(
            key: key, title: "title of \(key)", severity: "critical", source: "s",
            labels: alert.map { ["alertname": $0] } ?? .empty, policy: policy)
    }

    /// A book with the page `1` of the problem `k`, opened at minute 0, whose first call is delivered.
    private func book(_ policy: String = "p") -> PageBook {
        var book = PageBook(Self.roster)
        _ = book.triggered(problem("k", policy: policy), id: "1", at: minute(0))
        _ = book.called(1, page: "1", at: minute(0))
        _ = book.takeChanges()
        return book
    }

    private func calls(_ actions: [PageBook.Action]) -> [String] {
        actions.compactMap { if case .call(let call, _) = $0 { call.receiver } else { nil } }
    }

    @Test func `a problem has one page, and another problem another`() {
        var book = PageBook(Self.roster)
        #expect(calls(book.triggered(problem("k"), id: "1", at: minute(0))) == ["push"])
        #expect(book.triggered(problem("k"), id: "2", at: minute(1)) == [])
        var changed = problem("k")
        changed.title = "worse"
        #expect(book.triggered(changed, id: "3", at: minute(2)) == [])
        #expect(book.entries["1"]?.problem.title == "worse" && book.openCount == 1)
        #expect(calls(book.triggered(problem("other"), id: "4", at: minute(2))) == ["push"])
        #expect(book.wakeAt == minute(5))
        #expect(book.checkInvariants() == [])
    }

    @Test func `a problem that becomes more severe calls the people of that severity, once`() {
        func problem(_ severity: String, _ policy: String) -> Problem {
            var problem = self.problem("k", policy: policy)
            problem.severity = severity
            return problem
        }
        var book = PageBook(Self.roster)
        #expect(calls(book.triggered(problem("medium", "quiet"), id: "1", at: minute(0))) == ["chat"])
        _ = book.ordered(PageOrder(.acknowledge, by: ada), page: "1", at: minute(1))
        let actions = book.triggered(problem("critical", "p"), id: "2", at: minute(2))
        #expect(calls(actions) == ["push"])
        #expect(
            actions.contains {
                if case .record(let event) = $0 {
                    event.kind == .reassigned && event.actor == .source("s")
                } else {
                    false
                }
            })
        #expect(book.entries["1"]?.page.policy == "p" && book.openCount == 1)
        // It stays with them, however the source changes its mind.
        #expect(book.triggered(problem("medium", "quiet"), id: "3", at: minute(3)) == [])
        #expect(book.triggered(problem("critical", "p"), id: "4", at: minute(4)) == [])
        #expect(calls(book.clockReached(minute(7))) == ["lead"])
        #expect(book.checkInvariants() == [])
    }

    @Test func `a problem that becomes less severe, or has another policy only, calls nobody`() {
        var book = book()
        var changed = problem("k", policy: "quiet")
        #expect(book.triggered(changed, id: "2", at: minute(1)) == [])
        changed.severity = "low"
        #expect(book.triggered(changed, id: "3", at: minute(2)) == [])
        #expect(book.entries["1"]?.page.policy == "p")
    }

    @Test func `the end of a problem ends its page, says so where calls were taken, and a new problem is a new page`() {
        var book = book()
        let ended = book.ended("k", by: "s", at: minute(1))
        #expect(ended.contains { if case .sendResolved(["push"], _) = $0 { true } else { false } })
        #expect(book.openCount == 0 && book.clockReached(minute(10)) == [])
        // Nobody has taken the message: it is sent again after a restart, and from time to time.
        #expect(book.resumed().count == 1)
        book.closed("1", at: "push", hasTakenIt: false, at: minute(10))
        #expect(book.wakeAt == minute(10) + .seconds(30))
        #expect(book.clockReached(minute(11)).count == 1)
        book.closed("1", at: "push", hasTakenIt: true, at: minute(11))
        #expect(book.resumed() == [] && book.wakeAt == nil)
        #expect(calls(book.triggered(problem("k"), id: "2", at: minute(12))) == ["push"])
        #expect(book.checkInvariants() == [])
    }

    @Test func `a link works once, and a second acknowledgement by the same person changes nothing`() {
        var book = book()
        let order = PageOrder(.acknowledge, by: ada, link: "1/acknowledge")
        let (outcome, actions) = book.ordered(order, page: "1", at: minute(1))
        #expect(outcome == .done)
        #expect(actions.contains { if case .sendAcknowledged(["push"], _) = $0 { true } else { false } })
        #expect(book.ordered(order, page: "1", at: minute(2)).outcome == .linkIsUsed)
        #expect(
            book.ordered(PageOrder(.acknowledge, by: ada), page: "1", at: minute(2)).outcome
                == .unchanged("acknowledged by ada before"))
        #expect(book.ordered(order, page: "9", at: minute(2)).outcome == .unknownPage)
        #expect(book.entries["1"]?.actor == "ada")
        #expect(book.clockReached(minute(600)) == [])
    }

    @Test func `orders that make no sense are refused and change nothing`() {
        var book = book()
        let before = book
        for (verb, text) in [
            (PageOrder.Verb.snooze(until: minute(1)), "the end of the snooze is not in the future"),
            (.snooze(until: minute(1) + .hours(24 * 367)), "a snooze ends within 366 days"),
            (.reassign(.policy("x")), "there is no policy \"x\""),
            (.reassign(.person("x")), "there is no person \"x\""),
            (.note(""), "a note has 1 to 4000 bytes"),
        ] {
            #expect(book.ordered(PageOrder(verb, by: ada), page: "1", at: minute(1)).outcome == .refused(text))
        }
        #expect(book == before)
    }

    @Test func `a page that is given to a person calls them, and again until they answer`() {
        var book = book("nobody")
        #expect(book.entries["1"]?.alarm?.reason == .unreachable)
        let (outcome, actions) = book.ordered(PageOrder(.reassign(.person("ada")), by: ada), page: "1", at: minute(1))
        #expect(outcome == .done && calls(actions) == ["push"])
        #expect(actions.contains { if case .takeBack = $0 { true } else { false } })
        #expect(calls(book.clockReached(minute(16))) == ["push"])
        #expect(book.checkInvariants() == [])
    }

    @Test func `whoever is not reached is an alarm until somebody acts, and pages about alarms raise none`() {
        var book = book()
        let actions = [5, 20].flatMap { book.clockReached(minute($0)) }
        #expect(calls(actions) == ["lead"])
        #expect(actions.contains { if case .raise(let alarm) = $0 { alarm.reason == .unanswered } else { false } })
        #expect(book.resumed().contains { if case .raise = $0 { true } else { false } })
        let (_, answer) = book.ordered(PageOrder(.acknowledge, by: ada), page: "1", at: minute(21))
        #expect(answer.contains { if case .takeBack = $0 { true } else { false } })

        let alarmed = problem("a", policy: "nobody", alert: PageAlarm.alertName)
        #expect(
            !book.triggered(alarmed, id: "2", at: minute(0)).contains { if case .raise = $0 { true } else { false } })
        #expect(book.checkInvariants() == [])
    }

    @Test func `a call that fails is repeated with its number, and given up in the end`() {
        var book = PageBook(Self.roster)
        _ = book.triggered(problem("k"), id: "1", at: minute(0))
        var now = minute(0)
        var attempts = 1
        while true {
            let actions = book.callFailed(1, page: "1", reason: "refused", isFinal: false, at: now)
            if actions.contains(where: { if case .raise = $0 { true } else { false } }) { break }
            #expect(book.wakeAt.map { $0 <= now + .minutes(1) } == true)
            now = book.wakeAt ?? now
            let numbers = book.clockReached(now).compactMap {
                if case .call(let call, _) = $0, call.receiver == "push" { call.number } else { nil }
            }
            if numbers == [1] { attempts += 1 }
            #expect(book.checkInvariants() == [])
        }
        #expect(attempts == Page.attempts)
        #expect(now <= minute(12))
        #expect(book.entries["1"]?.alarm?.reason == .undelivered)
    }

    @Test func `what is stored is read as it was, and nothing else is`() throws {
        var book = book()
        _ = book.ordered(PageOrder(.note("n"), by: ada), page: "1", at: minute(1))
        _ = book.ordered(PageOrder(.acknowledge, by: ada, link: "l"), page: "1", at: minute(2))
        _ = book.triggered(problem("other", policy: "nobody"), id: "2", at: minute(3))
        _ = book.takeChanges()
        let payload = book.record(at: minute(4), epoch: 7).payload
        let record = try #require(PageBook.Record(payload: payload))
        #expect(record == book.record(at: minute(4), epoch: 7))
        var restored = PageBook(Self.roster)
        restored.restored([record], at: minute(4))
        #expect(restored == book)
        for length in stride(from: 0, to: payload.count, by: 7) {
            #expect(PageBook.Record(payload: Array(payload.prefix(length))) == nil)
        }
        let text = String(decoding: payload, as: UTF8.self)
        for (old, new) in [
            ("\"version\":1", "\"version\":2"), ("\"revision\":", "\"revisions\":"), ("\"calls\":1", "\"calls\":\"x\""),
        ] {
            #expect(text.contains(old) && PageBook.Record(payload: Array(text.replacing(old, with: new).utf8)) == nil)
        }
    }

    @Test func `of two copies of a page the later one counts, and a clock that went back delays nothing`() {
        var book = book()
        let old = book.record(at: minute(1))
        _ = book.ordered(PageOrder(.acknowledge, by: ada), page: "1", at: minute(2))
        let new = book.record(at: minute(2))
        for records in [[old, new], [new, old]] {
            var restored = PageBook(Self.roster)
            restored.restored(records, at: minute(3))
            #expect(restored.entries["1"]?.page.state == .acknowledged(by: "ada", until: nil))
        }
        var restored = PageBook(Self.roster)
        restored.restored([old], at: minute(-100))
        #expect(restored.wakeAt == minute(-96))
        #expect(calls(restored.clockReached(minute(-96))) == ["lead"])
    }

    @Test func `a reload keeps every page, and one whose policy is gone is an alarm`() {
        var book = book()
        var roster = Self.roster
        roster.policies["p"] = nil
        let actions = book.reconfigured(roster, at: minute(1))
        #expect(actions.contains { if case .raise(let alarm) = $0 { alarm.reason == .unanswered } else { false } })
        #expect(book.openCount == 1 && book.checkInvariants() == [])
        // It is back: the page goes on, and is an alarm again if nobody answers.
        _ = book.reconfigured(Self.roster, at: minute(2))
        let (outcome, escalated) = book.ordered(PageOrder(.escalate, by: ada), page: "1", at: minute(3))
        #expect(outcome == .done && calls(escalated) == ["lead"])
        _ = book.called(2, page: "1", at: minute(3))
        #expect(book.checkInvariants() == [] && book.wakeAt == minute(18))
        let last = book.clockReached(minute(18))
        #expect(last.contains { if case .raise(let alarm) = $0 { alarm.reason == .unanswered } else { false } })
    }

    @Test func `a program that does not report in time is a problem until it reports`() {
        var roster = Self.roster
        roster.heartbeats["backup"] = .init(
            name: "backup", key: .init("0123456789abcdef"), timeout: .minutes(60), policy: "p")
        var book = PageBook(Self.roster)
        _ = book.reconfigured(roster, at: minute(0))
        #expect(book.wakeAt == minute(60))
        #expect(book.beat("backup", at: minute(50)) == [] && book.wakeAt == minute(110))
        #expect(book.clockReached(minute(109)) == [])
        #expect(calls(book.clockReached(minute(110))) == ["push"])
        #expect(book.openPage(of: "heartbeat backup")?.problem.title == "backup has not reported for 1h")
        #expect(book.checkInvariants() == [])
        #expect(!book.beat("backup", at: minute(111)).isEmpty)
        #expect(book.openCount == 0 && book.wakeAt == minute(171))
        // After a restart it has its full time again; a program that is no longer expected is no problem.
        let record = book.record(at: minute(112))
        var restored = PageBook(roster)
        restored.restored([record], at: minute(120))
        #expect(restored.wakeAt == minute(180))
        _ = restored.reconfigured(Self.roster, at: minute(121))
        #expect(restored.wakeAt == nil && restored.clockReached(minute(500)) == [])
    }

    @Test func `only so many pages are open, and old ones are forgotten`() {
        var book = PageBook(Self.roster)
        for number in 0..<PageBook.capacity + 5 {
            _ = book.triggered(problem("k\(number)"), id: "\(number)", at: minute(0))
        }
        #expect(book.openCount == PageBook.capacity && book.isFull)
        for number in 0..<PageBook.capacity { _ = book.ended("k\(number)", by: "s", at: minute(1)) }
        _ = book.takeChanges()
        _ = book.clockReached(minute(2))
        #expect(book.entries.count == PageBook.resolvedCapacity)
        #expect(book.takeChanges().forgotten.count == PageBook.capacity - PageBook.resolvedCapacity)
        _ = book.clockReached(minute(2) + PageBook.resolvedAge)
        #expect(book.entries.count == 1, "the last one tells the nodes of a lease who acted last")
    }

    @Test func `long texts and many labels are cut off`() {
        let labels = Labels((0..<500).map { Label("l\($0)", String(repeating: "ä", count: 5000)) })
        let problem = Problem(
            key: "k", title: String(repeating: "ä", count: 5000), source: "s", labels: labels, policy: "p")
        #expect(problem.title.utf8.count <= Problem.titleLimit && problem.title.hasSuffix("…"))
        #expect(problem.labels.count == Problem.pairLimit)
        #expect(problem.labels.pairs.allSatisfy { $0.value.utf8.count <= Problem.valueLimit })
    }
}
