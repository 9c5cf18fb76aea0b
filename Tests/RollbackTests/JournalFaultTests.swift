import MetricModel
import RuleModel
import Testing

@testable import Rollback

/// A journal that is not written, or not in time.
struct JournalFaultTests {
    private static let text = """
        plan: p
        stages: [10, 100]
        bake: 1h
        settle: 0s
        reconcile: 10s
        notify: [team]
        services:
        - {name: a, routes: [{exec: {shift: [s], read: [r]}}]}
        - {name: b, depends: [a], routes: [{exec: {shift: [s], read: [r]}}]}
        """

    private func bench() throws -> ControllerBench {
        ControllerBench(try RolloutPlan(parsing: Self.text, file: "p.yml"))
    }

    /// Both candidates at the first stage.
    private func baking() throws -> ControllerBench {
        var plan = try RolloutPlan(parsing: Self.text, file: "p.yml")
        plan.maximumConcurrent = 2
        for index in plan.services.indices { plan.services[index].depends = [] }
        plan.levels = [["a", "b"]]
        var bench = ControllerBench(plan)
        #expect(bench.command(.start) == .accepted)
        bench.run(for: .seconds(1))
        try #require(bench.live == [10, 10])
        return bench
    }

    @Test("no candidate rises before the record of its stage is stored")
    func risesWait() throws {
        var bench = try bench()
        bench.isDiskSilent = true
        bench.command(.start)
        bench.run(for: .minutes(10))
        #expect(bench.live == [0, 0])
        let last = try #require(bench.records.last)
        bench.isDiskSilent = false
        bench.step { $0.journalled(through: last.number - 1, in: .file, at: $1) }
        #expect(bench.live == [0, 0], "an earlier record is not enough")
        bench.step { $0.journalled(through: last.number, in: .file, at: $1) }
        bench.run(for: .seconds(10))
        #expect(bench.live == [10, 0])
    }

    @Test("the lease's table is as good as the disk for what was decided, and does not let promotion go on")
    func table() throws {
        var bench = try bench()
        bench.isDiskSilent = true
        bench.command(.start)
        bench.step { $0.journalled(through: $0.lastRecord, in: .lease, at: $1) }
        #expect(bench.live == [10, 0])
        bench.run(for: .seconds(6))
        #expect(bench.controller.obstacle(at: bench.now) == "the journal cannot be written: the disk does not answer")
    }

    @Test("a rollback waits for no record, and its operations carry the process's own mark")
    func rollback() throws {
        var bench = try baking()
        bench.isDiskSilent = true
        let stored = bench.records.count
        #expect(bench.command(.abort) == .accepted)
        #expect(bench.live == [0, 0])
        #expect(bench.progress == ["rolled_back", "rolled_back"])
        #expect(bench.records.count > stored)
        let keys = bench.keys.filter { $0.contains("shift 0") }
        #expect(keys == ["b shift 0 p/1/b/2/0", "a shift 0 p/1/a/2/0"])
    }

    @Test("retries of an operation keep its key, also after its record was stored")
    func retries() throws {
        var bench = try baking()
        bench.isDiskSilent = true
        bench.silent = ["a"]
        bench.command(.rollback(services: ["a"]))
        bench.silent = []
        // The router acknowledges, and nothing changes: the shift is repeated under another revision.
        bench.refusesShifts = true
        bench.answer()
        #expect(bench.live == [10, 10])
        bench.isDiskSilent = false
        bench.step { $0.journalled(through: $0.lastRecord, in: .file, at: $1) }
        bench.refusesShifts = false
        bench.run(for: .seconds(10))
        #expect(bench.live == [0, 10])
        let keys = bench.keys.filter { $0.hasPrefix("a shift 0") }
        #expect(keys.first == "a shift 0 p/1/a/2/0")
        #expect(keys.last == "a shift 0 p/1/a/3", "\(keys)")
    }

    @Test("a disk that refuses or does not answer stops promotion, pages once, and the page ends with it")
    func trouble() throws {
        for isHung in [false, true] {
            var bench = try baking()
            bench.isDiskSilent = true
            bench.command(.pause)
            if isHung { bench.run(for: .seconds(6)) } else { bench.step { $0.journalFailed("no space left", at: $1) } }
            let reason = "the journal cannot be written: \(isHung ? "the disk does not answer" : "no space left")"
            #expect(bench.controller.obstacle(at: bench.now) == reason)
            for verb in [RolloutCommand.Verb.start, .resume, .promote] {
                #expect(bench.command(verb) == .refused(reason))
            }
            bench.run(for: .minutes(10))
            let pages = bench.notices.filter { $0.key == "p/journal" }
            #expect(pages.map(\.kind) == [.page])
            #expect(pages.first?.receivers == ["team"])
            #expect(bench.hasYielded)
            bench.isDiskSilent = false
            bench.step { $0.journalled(through: $0.lastRecord, in: .file, at: $1) }
            #expect(bench.notices.filter { $0.key == "p/journal" }.map(\.kind) == [.page, .over])
            #expect(bench.controller.obstacle(at: bench.now) == nil)
            #expect(!bench.hasYielded)
            #expect(bench.command(.resume) == .accepted)
        }
    }

    @Test("the lease is left to others when the shifts under way are verified, or after 30 s")
    func yields() throws {
        var bench = try baking()
        bench.isDiskSilent = true
        bench.silent = ["a"]
        bench.command(.abort)
        bench.step { $0.journalFailed("no space left", at: $1) }
        #expect(bench.live == [10, 0])
        #expect(!bench.hasYielded, "a is not verified")
        var late = bench
        bench.silent = []
        bench.answer()
        #expect(bench.live == [0, 0])
        #expect(bench.hasYielded)
        late.run(for: .seconds(29))
        #expect(!late.hasYielded)
        late.run(for: .seconds(2))
        #expect(late.hasYielded)
    }

    @Test("drift is corrected downwards only while the journal cannot be written")
    func drift() throws {
        var bench = try baking()
        bench.isDiskSilent = true
        bench.step { $0.journalFailed("no space left", at: $1) }
        bench.routers["a"]?.split = TrafficSplit(candidate: 5)!
        bench.routers["b"]?.split = TrafficSplit(candidate: 50)!
        bench.run(for: .minutes(1))
        #expect(bench.live == [5, 10])
    }

    @Test("rules are stored for the next process only when the journal has what they caused")
    func rules() throws {
        let plan = try RolloutPlan(parsing: Self.text, file: "p.yml")
        let now = Instant(nanoseconds: 1_800_000_000_000_000_000)
        var state = RolloutState()
        state.generation = 1
        state.phase = .promoting
        state.services["a"] = ServiceRollout()
        state.services["a"]?.progress = .baking(stage: 0, since: now)
        state.services["a"]?.split = TrafficSplit(candidate: 10)!
        var machine = PlanMachine(RolloutController(plan: plan, state: state))
        _ = machine.recovered(at: now)
        let definition = RollbackDefinition(
            name: "R", expression: "x", trip: .init(.less, 0.95), consecutive: 2,
            action: .init(plan: "p", service: "a", scope: .service))
        func measure(_ second: Int64) -> [PlanMachine.Action] {
            let at = now + .seconds(second)
            return machine.measured(
                RollbackMeasurement(
                    rule: "f;g;R", ruleHash: "h", definition: definition, time: at.timestamp,
                    elements: [.init(labels: .empty, value: 0.5)]), at: at)
        }
        #expect(measure(1).contains(.keepRules), "a streak needs no record")
        let trip = measure(2)
        #expect(trip.contains(.tripped) && !trip.contains(.keepRules))
        #expect(!measure(3).contains(.keepRules))
        let (at, last) = (now + .seconds(4), machine.controller.lastRecord)
        #expect(!machine.step(at: at) { $0.journalFailed("no space left", at: at) }.contains(.keepRules))
        #expect(!machine.step(at: at) { $0.journalled(through: last - 1, in: .file, at: at) }.contains(.keepRules))
        #expect(machine.step(at: at) { $0.journalled(through: last, in: .file, at: at) }.contains(.keepRules))
    }

    @Test("the next process never has the record of a new rollout with trips of the last one")
    func rulesOfANewRollout() throws {
        let now = Instant(nanoseconds: 1_800_000_000_000_000_000)
        var state = RolloutState()
        state.generation = 1
        state.phase = .rolledBack
        state.services["a"] = ServiceRollout()
        let definition = RollbackDefinition(
            name: "R", expression: "x", trip: .init(.less, 0.95), consecutive: 1,
            action: .init(plan: "p", service: "a", scope: .service))
        var machine = PlanMachine(
            RolloutController(plan: try RolloutPlan(parsing: Self.text, file: "p.yml"), state: state))
        _ = machine.recovered(at: now)
        _ = machine.measured(
            RollbackMeasurement(
                rule: "f;g;R", ruleHash: "h", definition: definition, time: now.timestamp,
                elements: [.init(labels: .empty, value: 0.5)]), at: now)
        #expect(machine.rules["f;g;R"]?.tracks[.empty]?.state != .armed)
        let actions = machine.step(at: now) { controller in
            let (outcome, actions) = controller.commanded(RolloutCommand(.start, by: "t"), at: now)
            #expect(outcome == .accepted)
            return actions
        }
        #expect(machine.rules["f;g;R"]?.tracks[.empty]?.state ?? .armed == .armed)
        let kept = try #require(actions.firstIndex(of: .keepRules))
        let record = try #require(
            actions.firstIndex {
                if case .control(.journal) = $0 { true } else { false }
            })
        #expect(kept < record)
    }

    @Test("of two records of one term, the one with the higher number is taken up")
    func takeUp() {
        let now = Instant(nanoseconds: 1)
        func record(_ epoch: UInt64, _ number: UInt64) -> JournalRecord {
            JournalRecord(epoch: epoch, number: number, at: now, step: "s", state: RolloutState())
        }
        let own = record(3, 7)
        #expect(TakeUp(own: own, left: record(3, 7), leader: 3) == .own)
        #expect(TakeUp(own: own, left: record(3, 6), leader: 3) == .own)
        #expect(TakeUp(own: own, left: record(3, 8), leader: 3) == .record(record(3, 8), isComplete: false))
        #expect(TakeUp(own: own, left: record(2, 9), leader: 3) == .own)
        #expect(JournalRecord(payload: own.payload) == own)
    }
}
