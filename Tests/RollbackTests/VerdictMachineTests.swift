import JSON
import MetricModel
import RuleModel
import TestSupport
import Testing

@testable import Rollback

@Suite struct VerdictMachineTests {
    @Test("a release is healthy once every enforcing rule looks back on nothing but it, and only while data come")
    func evidence() {
        var bench = VerdictBench([VerdictBench.rule(), VerdictBench.rule("Latency")])
        #expect(bench.verdict == .unknown && bench.reasons == ["no release is known"])
        bench.measure(0, times: 5)
        #expect(bench.ask(.confirmRollout).isYes)
        #expect(bench.reasons.count == 2, "\(bench.reasons)")
        bench.measure(0, times: 2)
        #expect(bench.reasons.first == "Errors has no data from after 1970-01-01T00:16:48Z yet")
        bench.measure(0, of: "Errors")
        #expect(bench.verdict == .unknown)
        bench.measure(0, of: "Latency")
        #expect(bench.verdict == .healthy && bench.reasons == [])
        #expect(bench.ask(.confirmPromotion).isYes && bench.ask(.rollout).isYes && !bench.ask(.rollback).isYes)
        bench.measure(nil, of: "Latency")
        #expect(bench.reasons == ["Latency has no data"])
        #expect(!bench.ask(.confirmPromotion).isYes && !bench.ask(.rollback).isYes)
        bench.measure(0)
        #expect(bench.verdict == .healthy)
        // Nothing is evaluated any more.
        bench.now += 5
        #expect(bench.verdict == .unknown)
        #expect(!bench.ask(.confirmTrafficIncrease).isYes)
    }

    @Test("an evaluation that failed, or that does not count, is no evidence")
    func failures() {
        var bench = VerdictBench()
        bench.measure(0)
        bench.ask(.confirmRollout)
        bench.measure(0, times: 4)
        #expect(bench.verdict == .healthy)
        bench.measure(nil, failure: "no answer")
        #expect(bench.reasons == ["Errors cannot be evaluated: no answer"])
        bench.measure(0)
        #expect(bench.verdict == .healthy)
        bench.measure(0, counts: false)
        #expect(bench.reasons == ["Errors has no data"])
        // One violation of two is neither.
        bench.measure(1)
        #expect(bench.reasons == ["Errors is violated, 1 of 2 times in a row"])
    }

    @Test("a trip is violated until the end of the release, also when the rule clears")
    func latched() {
        var bench = VerdictBench()
        bench.measure(0)
        bench.ask(.confirmRollout)
        bench.measure(0, times: 4)
        bench.measure(1, times: 2)
        #expect(bench.verdict == .violated)
        let reply = bench.ask(.rollback)
        #expect(reply.isYes)
        #expect(reply.text.hasPrefix("roll back release v1: Errors tripped at 1970-01-01T00:16:47Z: 1 > 0.5"))
        for sense in [VerdictQuestion.Sense.rollout, .confirmTrafficIncrease, .confirmPromotion, .preRollout] {
            #expect(!bench.ask(sense).isYes, "\(sense)")
        }
        bench.measure(0, times: 10)
        #expect(bench.states.contains("cleared"))
        #expect(bench.verdict == .violated && bench.ask(.rollback).isYes)
        #expect(bench.ask(.postRollout, outcome: "Failed").isYes)
        #expect(bench.verdict == .unknown)
        #expect(bench.reasons == ["release v1 ended at 1970-01-01T00:16:57Z: Failed"])
    }

    @Test("the next release waits for the cooldown, and for a rule that is still violated")
    func cooldown() {
        var bench = VerdictBench()
        bench.measure(0)
        bench.ask(.confirmRollout)
        bench.measure(1, times: 2)
        bench.ask(.postRollout, outcome: "Failed")
        // The candidate is gone, so nothing clears the rule.
        bench.measure(nil, times: 3)
        let refused = bench.ask(.confirmRollout, "v2")
        #expect(!refused.isYes)
        #expect(
            refused.text == "release v2 may not begin: Errors tripped at 1970-01-01T00:16:43Z for {service=\"web\"}, "
                + "before this release; its cooldown ends at 1970-01-01T00:17:43Z")
        #expect(bench.reasons == ["release v2 has not begun"] && !bench.ask(.rollback, "v2").isYes)
        bench.measure(nil, times: 60)
        #expect(bench.ask(.confirmRollout, "v2").isYes)
        #expect(bench.alerts.map(\.isOver) == [false, true])

        // It is violated without a candidate too.
        bench.measure(1, times: 2)
        bench.ask(.postRollout, "v2", outcome: "Failed")
        for _ in 0..<70 { bench.measure(1) }
        #expect(bench.ask(.confirmRollout, "v3").text.hasSuffix("before this release, and has not cleared"))
        bench.measure(0, times: 1)
        #expect(bench.ask(.confirmRollout, "v3").isYes)
    }

    @Test("what tripped before a release is not of it until its cooldown is over")
    func formerTrips() {
        var bench = VerdictBench()
        bench.measure(1, times: 2)
        // Argo Rollouts asks for no permission to begin.
        bench.ask(.verdict, "hash1")
        bench.measure(1, times: 5)
        #expect(bench.verdict == .unknown && bench.reasons.first?.contains("before this release") == true)
        bench.measure(1, times: 60)
        #expect(bench.verdict == .violated)

        var other = VerdictBench()
        other.measure(1, times: 2)
        other.ask(.verdict, "hash1")
        other.measure(0, times: 4)
        #expect(other.verdict == .healthy)
    }

    @Test("a restart forgets what was measured, and neither the release nor its trips")
    func restarts() throws {
        var bench = VerdictBench()
        bench.measure(0)
        bench.ask(.confirmRollout)
        bench.measure(0, times: 4)
        #expect(bench.verdict == .healthy)
        try bench.restart()
        #expect(bench.reasons == ["Errors has not been evaluated yet"])
        #expect(!bench.ask(.confirmPromotion).isYes && !bench.ask(.confirmRollout, "v2").isYes)
        bench.measure(0)
        #expect(bench.ask(.verdict, "v3").standing.verdict == .unknown)
        bench.measure(1)
        try bench.restart()
        bench.measure(1)
        #expect(bench.verdict == .violated, "the streak survives")
        try bench.restart()
        #expect(bench.verdict == .violated && bench.ask(.rollback, "v3").isYes)
        bench.measure(0, times: 20)
        #expect(bench.verdict == .violated)
        let copy = VerdictMachine("web", watches: bench.rules, stored: bench.machine.json)
        #expect(copy.release == bench.machine.release && copy.rules == bench.machine.rules)
    }

    @Test("where nothing is known of a release under way, a rule that is violated counts again")
    func takeOver() {
        var bench = VerdictBench()
        bench.measure(1, times: 3)
        #expect(!bench.ask(.rollback).isYes)
        bench.measure(1)
        #expect(bench.ask(.rollback).isYes)
    }

    @Test("the first increase needs no data, every other needs data since the one before")
    func increases() {
        var bench = VerdictBench()
        #expect(!bench.ask(.confirmTrafficIncrease).isYes, "no rule is evaluated")
        bench.measure(nil)
        #expect(bench.ask(.confirmRollout).isYes && bench.ask(.preRollout).isYes)
        bench.measure(nil, times: 20)
        #expect(bench.ask(.confirmTrafficIncrease).isYes)
        bench.measure(0, times: 2)
        #expect(!bench.ask(.confirmTrafficIncrease).isYes)
        bench.measure(0)
        #expect(bench.ask(.confirmTrafficIncrease).isYes)
        #expect(!bench.ask(.confirmTrafficIncrease).isYes)
        #expect(bench.verdict == .healthy, "only the next increase waits")
        bench.measure(0, times: 3)
        #expect(bench.ask(.confirmTrafficIncrease).isYes)
        // Asked while the candidate has no traffic: the controller began again.
        bench.ask(.preRollout)
        bench.measure(nil)
        #expect(bench.ask(.confirmTrafficIncrease).isYes && bench.verdict == .unknown)
    }

    @Test("a rule in mode shadow decides nothing, and one for which missing data are healthy is not enough")
    func otherRules() {
        var shadow = VerdictBench([VerdictBench.rule(mode: .shadow)])
        shadow.measure(0)
        #expect(!shadow.ask(.confirmRollout).isYes)
        shadow.ask(.verdict)
        shadow.measure(1, times: 5)
        #expect(shadow.verdict == .unknown && shadow.alerts == [] && shadow.states.contains("tripped"))

        var pass = VerdictBench([VerdictBench.rule(missing: .init(policy: .pass))])
        pass.measure(nil)
        pass.ask(.verdict)
        pass.measure(nil, times: 9)
        #expect(pass.verdict == .unknown)
        var both = VerdictBench([VerdictBench.rule(), VerdictBench.rule("Rare", missing: .init(policy: .pass))])
        both.measure(nil)
        both.ask(.verdict)
        for _ in 0..<9 {
            both.measure(0, of: "Errors")
            both.measure(nil, of: "Rare")
        }
        #expect(both.verdict == .healthy)
    }

    @Test("another release supersedes, and takes nothing over")
    func superseded() {
        var bench = VerdictBench()
        bench.measure(0)
        bench.ask(.confirmRollout)
        bench.measure(0, times: 4)
        bench.ask(.rollback, "v2")
        #expect(bench.verdict == .unknown)
        bench.measure(0, times: 3)
        #expect(bench.verdict == .healthy)
        bench.ask(.rollback, "v1")
        #expect(bench.verdict == .unknown)
        #expect(
            bench.records.filter { $0.body["state"]?.text == "ended" }.compactMap { $0.body["outcome"]?.text }
                == ["superseded by v2", "superseded by v1"])
    }

    @Test("a release ends when its controller or a person says so, and begins anew")
    func endings() {
        var bench = VerdictBench()
        bench.measure(0)
        bench.ask(.confirmRollout)
        bench.ask(.event, "other", outcome: "Failed")
        bench.ask(.event, outcome: nil)
        #expect(bench.machine.release?.isOver == false)
        bench.ask(.event, outcome: "Succeeded")
        #expect(bench.machine.release?.isOver == true)
        #expect(bench.end() == false)
        bench.measure(0)
        bench.ask(.verdict, "hash1")
        bench.measure(1, times: 2)
        #expect(bench.verdict == .violated && bench.end() == true)
        bench.measure(0, times: 70)
        bench.ask(.verdict, "hash1")
        bench.measure(0, times: 4)
        #expect(bench.verdict == .healthy)
    }

    @Test("beginnings, ends, trips and changed answers are recorded once")
    func records() {
        var bench = VerdictBench()
        bench.measure(0)
        bench.ask(.confirmRollout)
        for _ in 0..<4 {
            bench.measure(0)
            bench.ask(.rollback)
        }
        bench.measure(1, times: 2)
        bench.ask(.rollback)
        bench.ask(.rollback)
        bench.ask(.postRollout, outcome: "Failed")
        #expect(bench.states == ["began", "answered", "answered", "answered", "tripped", "answered", "ended"])
        let last = bench.records.last { $0.body["state"]?.text == "answered" }?.body
        #expect(last?["question"]?.text == "rollback" && last?["accepted"]?.bool == true)
        #expect(last?["by"]?.text == "flagger" && last?["rules"]?.elements?.first?["value"]?.text == "1")
        let trip = bench.records.first { $0.body["state"]?.text == "tripped" }
        #expect(trip?.isOfEveryNode == true && trip?.incident != nil)
        #expect(trip?.incident == bench.records.last { $0.body["state"]?.text == "answered" }?.incident)
        #expect(bench.records.filter { $0.kind == .violation }.count == 2)
    }

    @Test("missing data are notified only of a release that has had time to give some")
    func missingData() {
        var bench = VerdictBench([VerdictBench.rule(missing: .init(policy: .alert))])
        bench.measure(0)
        bench.measure(nil, times: 20)
        #expect(bench.alerts == [])
        bench.ask(.confirmRollout)
        bench.measure(nil, times: 4)
        #expect(bench.alerts == [])
        bench.measure(nil, times: 2)
        #expect(bench.alerts.map(\.kind) == [.withoutData] && bench.alerts.first?.isOver == false)
        bench.measure(0)
        #expect(bench.alerts.map(\.isOver) == [false, true])
    }

    @Test("a rule that a reload removes ends its alert, and its trip stays with the release")
    func reload() {
        var bench = VerdictBench()
        bench.measure(0)
        bench.ask(.confirmRollout)
        bench.measure(1, times: 2)
        let actions = bench.machine.rulesChanged(to: [])
        #expect(actions.contains { if case .notify(let alert) = $0 { alert.isOver } else { false } })
        #expect(bench.verdict == .violated)
    }

    @Test("at random: never healthy without present data of every rule, never anything after violated but the end")
    func random() throws {
        var random = SeededGenerator()
        for _ in 0..<60 {
            var bench = VerdictBench([
                VerdictBench.rule(cooldown: .seconds(10)), VerdictBench.rule("Latency", consecutive: 1),
            ])
            // By rule: the second of its last counted sample that is no violation, and of the last one.
            var good: [String: Int64] = [:]
            var began: String?
            var (name, wasViolated) = ("v0", false)
            for step in 0..<120 {
                switch Int.random(in: 0..<20, using: &random) {
                case 0: bench.now += Int64.random(in: 1...6, using: &random)
                case 1:
                    try bench.restart()
                    good = [:]
                case 2:
                    name = "v\(step)"
                    bench.ask([.confirmRollout, .verdict, .rollback].randomElement(using: &random) ?? .verdict, name)
                case 3: bench.ask(.postRollout, name, outcome: "Failed")
                case 4...8:
                    bench.ask(
                        [.rollout, .confirmPromotion, .rollback, .verdict].randomElement(using: &random) ?? .verdict,
                        name)
                case _:
                    let rule = Bool.random(using: &random) ? "Errors" : "Latency"
                    let value: Double? = [0, 0, 0, 0, 0, 0, 1, nil].randomElement(using: &random) ?? nil
                    bench.measure(value, of: rule)
                    good[rule] = value == 0 ? bench.now : nil
                }
                let release = bench.machine.release
                let since = release?.runningSince.map { $0.nanoseconds / 1_000_000_000 }
                let running = since.map { "\(release?.name ?? "") \($0)" }
                if running != began { (began, wasViolated) = (running, false) }
                let verdict = bench.verdict
                if verdict == .healthy {
                    let start = try #require(since)
                    for rule in ["Errors", "Latency"] {
                        let sample = try #require(good[rule], "seed \(random.seed)")
                        #expect(sample >= start + 3 && bench.now - sample <= 4, "seed \(random.seed)")
                    }
                }
                if since != nil, wasViolated { #expect(verdict == .violated, "seed \(random.seed)") }
                wasViolated = verdict == .violated
            }
        }
    }
}
