import MetricModel
import Testing

@testable import OnCall

/// Every order of events around one page whose policy has three steps and two people: all states up to a bound of two
/// escalations and two failures of calls, not a sample of them.
@Suite struct PageExplorationTests {
    private static let roster: Roster = {
        var roster = Roster()
        for name in ["ada", "bob"] {
            roster.people[name] = .init(name: name, contacts: [.init(receiver: name, delay: .zero)])
        }
        roster.teams["both"] = ["ada", "bob"]
        roster.policies["p"] = EscalationPolicy(
            name: "p",
            steps: [
                .init(delay: .zero, targets: [.person("ada")]), .init(delay: .minutes(5), targets: [.person("bob")]),
                .init(delay: .minutes(15), targets: [.team("both")]),
            ], repeats: 0, roundLength: .minutes(20), acknowledgementTimeout: .minutes(10))
        return roster
    }()

    private enum Event {
        case time, acknowledge, snooze, resolve, reassign, escalate, crash
        /// The receiver has the call, and the process knows it.
        case delivered(Int)
        /// The receiver has the call, and the process ends before it knows.
        case deliveredUnknown(Int)
        case failed(Int, isFinal: Bool)
    }

    /// The process, its disk and what it has given to senders, with what really happened.
    private struct Node {
        var book: PageBook
        var disk: PageBook.Entry
        var now: Int64
        var jobs: [Int]
        /// The number of the call of each step and person.
        var fired: [String: Int] = [:]
        var settled: Set<Int> = []
        /// Calls that failed on the way here.
        var failed = 0
        var faults: [String] = []

        var entry: PageBook.Entry { book.entries["1"]! }

        /// Two nodes with the same key behave alike: all times are relative.
        var key: [Int64] {
            let page = entry.page
            func time(_ moment: Timestamp?) -> Int64 { moment.map { $0.milliseconds - now } ?? -1 << 40 }
            var key = [
                Int64(page.next.escalation), Int64(page.next.step), time(page.escalationStart), time(entry.wakeAt),
            ]
            switch page.state {
            case .escalating: key += [0, 0]
            case .acknowledged(_, let until): key += [1, time(until)]
            case .snoozed(_, let until): key += [2, time(until)]
            case .resolved: key += [3, 0]
            }
            func contact(_ call: Page.Call) -> Int64 { Int64(call.position.step) * 2 + (call.person == "bob" ? 1 : 0) }
            // A number says when a call was made among others, which nothing depends on.
            for call in page.scheduled { key += [-2, contact(call), time(call.at), Int64(call.failures)] }
            for call in page.outstanding {
                key += [-3, contact(call), Int64(call.failures), Int64(jobs.count { $0 == call.number })]
            }
            let reason = entry.alarm.map { Int64($0.reason.rawValue.utf8.count) } ?? 0
            return key + [-4, page.isUnanswered ? 1 : 0, reason, Int64(failed)]
        }

        mutating func perform(_ actions: [PageBook.Action]) {
            for entry in book.takeChanges().changed { disk = entry }
            for case .call(let call, _) in actions {
                let contact = "\(call.position) \(call.person ?? "")"
                if fired[contact, default: call.number] != call.number { faults.append("\(contact) fired twice") }
                fired[contact] = call.number
                if settled.contains(call.number) { faults.append("call \(call.number) is sent again") }
                jobs.append(call.number)
            }
            faults += book.checkInvariants()
            let page = entry.page
            if page.state == .escalating, entry.wakeAt == nil, jobs.isEmpty, entry.alarm == nil {
                faults.append("nobody is called, and no alarm says so")
            }
            for call in page.outstanding where !jobs.contains(call.number) {
                faults.append("call \(call.number) is neither sent nor given up")
            }
        }
    }

    private static func follow(_ event: Event, from node: Node) -> Node? {
        var node = node
        let now = Timestamp(milliseconds: node.now)
        func order(_ verb: PageOrder.Verb, _ node: inout Node) -> Bool {
            let before = node.entry
            let (outcome, actions) = node.book.ordered(
                PageOrder(verb, by: PageActor(identity: "ada", method: "token")), page: "1", at: now)
            guard outcome == .done else {
                if node.entry != before { node.faults.append("\(verb) was refused and changed something") }
                return false
            }
            node.perform(actions)
            return true
        }
        func isWanted(_ number: Int) -> Bool { node.entry.page.outstanding.contains { $0.number == number } }
        switch event {
        case .time:
            guard let wake = node.book.wakeAt else { return nil }
            node.now = max(node.now, wake.milliseconds)
            node.perform(node.book.clockReached(Timestamp(milliseconds: node.now)))
        case .acknowledge: guard order(.acknowledge, &node) else { return nil }
        case .snooze: guard order(.snooze(until: now + .minutes(10)), &node) else { return nil }
        case .resolve: guard order(.resolve, &node) else { return nil }
        case .reassign: guard order(.reassign(.policy("p")), &node) else { return nil }
        case .escalate: guard order(.escalate, &node) else { return nil }
        case .crash:
            node.jobs = []
            restart(&node)
        case .delivered(let number):
            node.jobs.removeAll { $0 == number }
            guard isWanted(number) else { return node }
            node.perform(node.book.called(number, page: "1", at: now))
            node.settled.insert(number)
        case .deliveredUnknown(let number):
            guard isWanted(number) else { return nil }
            node.jobs = []
            restart(&node)
        case .failed(let number, let isFinal):
            node.jobs.removeAll { $0 == number }
            guard isWanted(number) else { return node }
            node.failed += 1
            node.perform(node.book.callFailed(number, page: "1", reason: "refused", isFinal: isFinal, at: now))
        }
        return node
    }

    private static func restart(_ node: inout Node) {
        let now = Timestamp(milliseconds: node.now)
        node.book = PageBook(roster)
        node.book.restored([PageBook.Record(entries: [node.disk], at: now)], at: now)
        node.perform(node.book.resumed())
    }

    /// States beyond the bound are judged, but nothing follows them.
    private static func isWithinBound(_ node: Node) -> Bool {
        let page = node.entry.page
        return page.next.escalation <= 1 && node.failed <= 2
    }

    @Test func `no order of events breaks an invariant`() {
        var book = PageBook(Self.roster)
        let problem = Problem(key: "k", title: "k", source: "s", policy: "p")
        let actions = book.triggered(problem, id: "1", at: Timestamp(milliseconds: 0))
        var first = Node(book: book, disk: book.entries["1"]!, now: 0, jobs: [])
        first.perform(actions)
        var seen: Set<[Int64]> = [first.key]
        var open = [first]
        var (edges, ends) = (0, 0)
        while let node = open.popLast() {
            var events: [Event] = [.time, .acknowledge, .snooze, .resolve, .reassign, .escalate, .crash]
            for job in Set(node.jobs) {
                events += [
                    .delivered(job), .deliveredUnknown(job), .failed(job, isFinal: false), .failed(job, isFinal: true),
                ]
            }
            for event in events {
                guard let next = Self.follow(event, from: node) else { continue }
                edges += 1
                if !next.faults.isEmpty {
                    Issue.record("\(event): \(next.faults) after \(node.entry.page)")
                    return
                }
                if next.entry.page.isResolved {
                    ends += 1
                } else if Self.isWithinBound(next), seen.insert(next.key).inserted {
                    open.append(next)
                }
            }
            if seen.count > 100_000 {
                Issue.record("more states than expected")
                return
            }
        }
        print("on-call: \(seen.count) states, \(edges) events, \(ends) of them resolutions")
        #expect(seen.count > 500)
    }
}
