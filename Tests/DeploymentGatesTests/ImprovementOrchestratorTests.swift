import MetricModel
import Testing

@testable import DeploymentGates
@testable import Rollback

@Suite struct ImprovementOrchestratorTests {
    private static let levels = ["auth": 0, "ac": 1, "gs": 2, "fv": 1]

    private func recommendation(
        _ service: String, _ severity: Recommendation.Severity = .critical, metric: String = "p95"
    ) -> Recommendation {
        Recommendation(
            kind: .service, service: service, metric: metric, current: 2, target: 1, severity: severity, rank: 1,
            constraints: [], depends: [], dependents: [], reason: "")
    }

    private func time(_ seconds: Int64) -> Timestamp { Timestamp(milliseconds: seconds * 1000) }

    private func machine(_ change: (inout OrchestrationConfiguration) -> Void = { _ in }) -> ImprovementOrchestrator {
        var configuration = OrchestrationConfiguration()
        configuration.isEnabled = true
        change(&configuration)
        return ImprovementOrchestrator(configuration, at: time(0))
    }

    private func surveyed(
        _ machine: inout ImprovementOrchestrator, _ found: [Recommendation],
        _ situation: ImprovementOrchestrator.Situation = .init(), at seconds: Int64
    ) -> [ImprovementOrchestrator.Action] {
        machine.surveyed(found, situation, level: { Self.levels[$0] ?? 0 }, at: time(seconds))
    }

    @Test("a cycle begins every five minutes, and ten minutes after an error")
    func cycle() {
        var machine = machine()
        #expect(machine.deadline == time(300) && machine.ticked(at: time(299)).isEmpty)
        #expect(machine.ticked(at: time(300)) == [.survey] && machine.deadline == nil)
        #expect(machine.surveyFailed("no data", at: time(301)) == [.finish(.failed("no data"))])
        #expect(machine.deadline == time(901))
        #expect(machine.ticked(at: time(901)) == [.survey])
        #expect(surveyed(&machine, [], at: 902) == [.finish(.done(succeeded: 0, failed: 0, deferred: 0))])
        #expect(machine.deadline == time(1202))
    }

    @Test("levels follow each other after two minutes; within a level all run at once")
    func levels() {
        var machine = machine()
        _ = machine.ticked(at: time(300))
        let (auth, ac, other, gs) = (
            recommendation("auth"), recommendation("ac"), recommendation("ac", metric: "errors"), recommendation("gs")
        )
        #expect(surveyed(&machine, [gs, ac, auth, other], at: 300) == [.submit(auth)])
        #expect(machine.submitted(auth, id: "1", at: time(301)).isEmpty)
        #expect(machine.finished("1", succeeded: true, at: time(400)).isEmpty)
        #expect(machine.state == .stabilizing(until: time(520)) && machine.ticked(at: time(519)).isEmpty)
        #expect(machine.ticked(at: time(520)) == [.submit(ac), .submit(other)])
        _ = machine.submitted(ac, id: "2", at: time(520))
        _ = machine.submitted(other, id: "3", at: time(520))
        #expect(machine.finished("2", succeeded: true, at: time(530)).isEmpty)
        #expect(machine.finished("9", succeeded: false, at: time(530)).isEmpty, "of another caller")
        #expect(machine.finished("3", succeeded: true, at: time(531)).isEmpty)
        #expect(machine.ticked(at: time(651)) == [.submit(gs)])
        _ = machine.submitted(gs, id: "4", at: time(651))
        #expect(
            machine.finished("4", succeeded: true, at: time(700))
                == [.finish(.done(succeeded: 4, failed: 0, deferred: 0))])
    }

    @Test("too few successes of a level stop the cycle", arguments: [(4, 1, true), (3, 1, false), (0, 1, false)])
    func ratio(succeeded: Int, failed: Int, goesOn: Bool) {
        var machine = machine { $0.services[1].maximumConcurrent = 10 }
        _ = machine.ticked(at: time(300))
        let level = (0..<(succeeded + failed)).map { recommendation("ac", metric: "m\($0)") }
        _ = surveyed(&machine, level + [recommendation("gs")], at: 300)
        for (index, one) in level.enumerated() { _ = machine.submitted(one, id: "\(index)", at: time(300)) }
        var last: [ImprovementOrchestrator.Action] = []
        for index in level.indices { last = machine.finished("\(index)", succeeded: index < succeeded, at: time(310)) }
        if goesOn {
            #expect(last.isEmpty && machine.state == .stabilizing(until: time(430)))
        } else {
            let ratio = Double(succeeded) / Double(succeeded + failed)
            #expect(last == [.finish(.paused(level: 1, ratio: ratio))] && machine.deadline == time(610))
        }
    }

    @Test("an improvement that hangs is abandoned and counts as failed; one that is refused too")
    func failures() {
        var machine = machine()
        _ = machine.ticked(at: time(300))
        let (auth, ac) = (recommendation("auth"), recommendation("ac"))
        _ = surveyed(&machine, [auth, ac], at: 300)
        _ = machine.submitted(auth, id: "1", at: time(300))
        #expect(machine.deadline == time(2100))
        #expect(
            machine.ticked(at: time(2100)) == [.abandon(id: "1"), .finish(.paused(level: 0, ratio: 0))])
        _ = machine.ticked(at: time(2400))
        _ = surveyed(&machine, [ac], at: 2400)
        #expect(machine.refused(ac, at: time(2400)) == [.finish(.paused(level: 1, ratio: 0))])
    }

    @Test("what may not be done now is deferred with its reason")
    func deferral() {
        var machine = machine()
        _ = machine.ticked(at: time(300))
        var situation = ImprovementOrchestrator.Situation()
        situation.changing = ["gs"]
        situation.active = [recommendation("ac").key]
        let found = [
            recommendation("ac"), recommendation("ac", metric: "b"), recommendation("ac", metric: "c"),
            recommendation("gs"), recommendation("auth", .medium), recommendation("fv"),
            recommendation("fv", metric: "b"),
        ]
        let actions = surveyed(&machine, found, situation, at: 300)
        #expect(actions == [.submit(found[1]), .submit(found[5])])
        #expect(
            machine.queue.map(\.deferral) == [
                "already in progress", "ac has 2 at once at most", "a rollout of gs is in progress",
                "auth is improved when triggered", "fv has 1 at once at most",
            ])
        // A scheduled service is improved once a day.
        _ = machine.submitted(found[1], id: "1", at: time(300))
        _ = machine.submitted(found[5], id: "2", at: time(300))
        _ = machine.finished("1", succeeded: true, at: time(310))
        _ = machine.finished("2", succeeded: true, at: time(310))
        _ = machine.ticked(at: time(610))
        #expect(
            surveyed(&machine, [found[5]], at: 610) == [.finish(.done(succeeded: 0, failed: 0, deferred: 1))])
        _ = machine.ticked(at: time(90_000))
        #expect(surveyed(&machine, [found[5]], at: 90_000) == [.submit(found[5])])
    }

    @Test("nothing happens while it is switched off")
    func disabled() {
        var machine = machine { $0.isEnabled = false }
        #expect(machine.deadline == nil && machine.ticked(at: time(10_000)).isEmpty)
    }
}
