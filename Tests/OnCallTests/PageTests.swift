import MetricModel
import TestSupport
import Testing

@testable import OnCall

@Suite struct PageTests {
    /// Ada, and after 5 min by phone; the lead after 5 min; the director after 30 min. Two rounds of an hour.
    private static func roster(acknowledgementTimeout: Milliseconds? = nil) -> Roster {
        var roster = Roster()
        roster.people["ada"] = .init(
            name: "ada",
            contacts: [.init(receiver: "push", delay: .zero), .init(receiver: "phone", delay: .minutes(4))])
        roster.policies["p"] = EscalationPolicy(
            name: "p",
            steps: [
                .init(delay: .zero, targets: [.person("ada")]), .init(delay: .minutes(5), targets: [.receiver("lead")]),
                .init(delay: .minutes(30), targets: [.receiver("director")]),
            ], repeats: 1, roundLength: .hours(1), acknowledgementTimeout: acknowledgementTimeout)
        return roster
    }

    private func minute(_ minutes: Int64) -> Timestamp { Timestamp(milliseconds: minutes * 60_000) }

    /// The calls of a page in time, as `minute:receiver`.
    private func calls(_ page: inout Page, _ roster: Roster, from: Int64 = 0, through: Int64) -> [String] {
        var found: [String] = []
        var next: Timestamp? = minute(from)
        while let now = next, now <= minute(through) {
            next = nil
            for action in page.clockReached(now, roster: roster) {
                switch action {
                case .send(let call):
                    found.append("\(now.milliseconds / 60_000):\(call.receiver)")
                    page.callEnded(call.number)
                case .wake(let time): next = time
                case .unanswered: found.append("\(now.milliseconds / 60_000):unanswered")
                case .unreachable: found.append("\(now.milliseconds / 60_000):unreachable")
                case .sendResolved, .undelivered: break
                }
            }
            #expect(page.checkInvariants(roster: roster) == [])
        }
        return found
    }

    private func page() -> Page { Page(id: "1", key: "k", policy: "p", at: minute(0)) }

    @Test func `steps and contacts follow each other until the last round is over`() {
        var page = page()
        #expect(
            calls(&page, Self.roster(), through: 1000) == [
                "0:push", "4:phone", "5:lead", "30:director", "60:push", "64:phone", "65:lead", "90:director",
                "120:unanswered",
            ])
    }

    @Test func `nobody is called after an acknowledgement`() {
        var page = page()
        #expect(calls(&page, Self.roster(), through: 4) == ["0:push", "4:phone"])
        #expect(page.acknowledge(by: "ada", at: minute(4), roster: Self.roster()) == [])
        #expect(calls(&page, Self.roster(), from: 5, through: 1000) == [])
        #expect(page.resolve(at: minute(50)) == [.sendResolved(["push", "phone"])])
        #expect(page.resolve(at: minute(51)) == nil)
        #expect(page.acknowledge(by: "ada", at: minute(52), roster: Self.roster()) == nil)
    }

    @Test func `an acknowledgement that runs out begins a new escalation`() {
        let roster = Self.roster(acknowledgementTimeout: .minutes(10))
        var page = page()
        _ = calls(&page, roster, through: 0)
        #expect(page.acknowledge(by: "ada", at: minute(2), roster: roster) == [.wake(minute(12))])
        #expect(calls(&page, roster, from: 3, through: 20) == ["12:push", "16:phone", "17:lead"])
        #expect(page.next == .init(escalation: 1, step: 2))
    }

    @Test func `a snooze ends by itself`() {
        var page = page()
        _ = calls(&page, Self.roster(), through: 0)
        #expect(page.snooze(by: "ada", until: minute(45)) == [.wake(minute(45))])
        #expect(calls(&page, Self.roster(), from: 1, through: 46) == ["45:push"])
    }

    @Test func `an escalation by hand fires the next step, and the later ones keep their distance`() {
        var page = page()
        _ = calls(&page, Self.roster(), through: 0)
        let actions = page.escalate(at: minute(1), roster: Self.roster()) ?? []
        #expect(actions.contains { if case .send(let call) = $0 { call.receiver == "lead" } else { false } })
        #expect(calls(&page, Self.roster(), from: 2, through: 27) == ["4:phone", "26:director"])
    }

    @Test func `a step without anybody on call says so and goes on`() {
        var roster = Self.roster()
        roster.people = [:]
        var page = page()
        #expect(calls(&page, roster, through: 6) == ["0:unreachable", "5:lead"])
        roster.policies["p"] = EscalationPolicy(
            name: "p", steps: [.init(delay: .zero, targets: [.schedule("none")])], repeats: 0, roundLength: .minutes(5))
        var other = self.page()
        #expect(calls(&other, roster, through: 10) == ["0:unreachable", "5:unanswered"])
    }

    @Test func `calls whose delivery is unknown are sent again after a restart, unless somebody acknowledged`() {
        var page = page()
        let sent = page.clockReached(minute(0), roster: Self.roster()).filter {
            if case .send = $0 { true } else { false }
        }
        #expect(page.resume() == sent && sent.count == 1)
        var acknowledged = page
        _ = acknowledged.acknowledge(by: "ada", at: minute(1), roster: Self.roster())
        #expect(acknowledged.resume() == [])
        page.callEnded(1)
        #expect(page.resume() == [])
    }

    /// Random events in random order, with clocks that jump and a crash between any two.
    @Test(arguments: 1...200) func `whatever happens, a step fires once and never after an acknowledgement`(
        seed: UInt64
    ) {
        var random = SeededGenerator(seed: seed)
        let roster = Self.roster(acknowledgementTimeout: seed % 2 == 0 ? .minutes(20) : nil)
        var page = page()
        var stored = page
        var fired: Set<Int> = []
        var now: Int64 = 0
        for _ in 0..<100 {
            now = max(0, now + Int64.random(in: 0..<40, using: &random) - 5)
            let mayCall = if case .escalating = page.state { true } else { false }
            let expires =
                switch page.state {
                case .acknowledged(_, let until?), .snoozed(_, let until): until <= minute(now)
                case .acknowledged, .escalating, .resolved: false
                }
            var actions: [Page.Action] = []
            switch Int.random(in: 0..<12, using: &random) {
            case 0: _ = page.acknowledge(by: "a", at: minute(now), roster: roster)
            case 1: _ = page.snooze(by: "a", until: minute(now + 10))
            case 2 where Int.random(in: 0..<8, using: &random) == 0: _ = page.resolve(at: minute(now))
            case 3: actions = page.reassign(to: "p", at: minute(now), roster: roster) ?? []
            case 4: actions = page.escalate(at: minute(now), roster: roster) ?? []
            // A crash before the page is stored: what the event changed is lost, and its actions are not carried out.
            // Calls whose delivery is unknown are sent again.
            case 5:
                _ = page.clockReached(minute(now), roster: roster)
                page = stored
                for case .send(let call) in page.resume() { #expect(fired.contains(call.number)) }
            case 6: page.callEnded(1 + Int.random(in: 0..<max(page.calls, 1), using: &random))
            default:
                actions = page.clockReached(minute(now), roster: roster)
                if !mayCall, !expires { #expect(actions.allSatisfy { if case .send = $0 { false } else { true } }) }
            }
            for case .send(let call) in actions {
                #expect(fired.insert(call.number).inserted, "call \(call.number) twice")
                #expect(call.at <= minute(now))
            }
            #expect(page.checkInvariants(roster: roster) == [])
            stored = page
        }
    }

    @Test func `a damaged page is found`() {
        var page = page()
        _ = page.clockReached(minute(0), roster: Self.roster())
        #expect(page.checkInvariants(roster: Self.roster()) == [])
        page.corrupt(next: .init(escalation: 1, step: 0))
        #expect(page.checkInvariants(roster: Self.roster()).count == 1)
        page.corrupt(next: .init(escalation: 0, step: 99))
        #expect(page.checkInvariants(roster: Self.roster()) == ["more steps have fired than the policy has"])
        page.corrupt(state: .resolved(at: minute(1)))
        #expect(page.checkInvariants(roster: Self.roster()).count == 2)
    }
}
