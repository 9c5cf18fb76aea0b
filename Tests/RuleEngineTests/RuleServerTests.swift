import Instrumentation
import MetricModel
import MetricStore
import PromQL
import RuleModel
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import RuleEngine

/// Groups that ask a server, which here is a table of answers.
@Suite struct RuleServerTests {
    /// Answers from a table, or fails, or waits.
    private final class StandIn: RuleServers {
        struct State {
            var answers: [String: QueryValue] = [:]
            var fault: String?
            var waits = false
            var asked: [RuleQuery] = []
            var finished: [String?] = []
        }

        let state = Mutex(State())

        func answer(
            _ query: RuleQuery, of server: String, until deadline: Int64, isCancelled: @escaping @Sendable () -> Bool
        ) throws(RuleFailure) -> QueryValue {
            _ = Loopback.eventually { isCancelled() || !state.withLock { $0.waits } }
            let (fault, answer) = state.withLock { state in
                state.asked.append(query)
                return (state.fault, state.answers[query.expression])
            }
            if let fault { throw .unknown(fault) }
            return answer ?? .vector([])
        }

        func finished(asker: String, of server: String, failure: String?) {
            state.withLock { $0.finished.append(failure) }
        }
    }

    private let fixture: RuleFixture
    private let received = Received()
    private let server = StandIn()
    private let sink: LaneSink

    init() throws {
        fixture = try RuleFixture()
        sink = LaneSink("test", store: fixture.store, sinks: received.sinks)
    }

    private var settings: RuleSettings {
        var settings = RuleSettings(externalLabels: ["replica": "a"], evaluationInterval: .seconds(10))
        settings.servers = [RuleServerSettings(name: "remote")]
        settings.defaultServer = "remote"
        return settings
    }

    private func evaluation(_ rules: String, restoring: Bool = false) throws -> GroupEvaluation {
        let text = "groups:\n- name: g\n  rules:\n" + rules
        return GroupEvaluation(
            try RuleFixture.group(text), engine: QueryEngine(), settings: settings, restoring: restoring)
    }

    private func run(_ evaluation: GroupEvaluation, at seconds: Int64...) {
        for seconds in seconds {
            let session = RuleServerSession(
                servers: server, name: "remote", deadline: .max, isCancelled: { false })
            evaluation.evaluate(at: Timestamp(milliseconds: seconds * 1000), from: .server(session), into: sink)
        }
    }

    private func answers(_ expression: String, _ elements: [(Labels, Double)]) {
        let vector = elements.map { VectorElement(labels: $0.0, timestamp: .distantPast, value: $0.1) }
        server.state.withLock { $0.answers[expression] = .vector(vector) }
    }

    private func fails(_ text: String?) { server.state.withLock { $0.fault = text } }

    @Test func anAlertWithoutAnAnswerNeitherRisesNorResolvesAndIsSentAgain() throws {
        let evaluation = try evaluation("  - {alert: A, expr: up == 0, for: 20s}\n")
        answers("up == 0", [(["job": "x"], 0)])
        run(evaluation, at: 100)
        fails("gone")
        run(evaluation, at: 110, 120, 130)
        // Pending for longer than `for`, but not seen.
        #expect(evaluation.states[0].alerts.active.map(\.state) == [.pending])
        #expect(evaluation.states[0].health == .err)
        #expect(evaluation.states[0].lastError == "gone")
        #expect(evaluation.unknown == "gone")
        #expect(received.alerts.isEmpty)
        fails(nil)
        run(evaluation, at: 140)
        #expect(evaluation.unknown == nil)
        #expect(received.alerts.map(\.isResolved) == [false])
        fails("gone")
        // Receivers would take silence for the end: four times the resend delay after the last message.
        run(evaluation, at: 150, 201, 262)
        #expect(evaluation.states[0].alerts.active.map(\.isFiring) == [true])
        #expect(received.alerts.map(\.isResolved) == [false, false, false])
        fails(nil)
        answers("up == 0", [])
        run(evaluation, at: 270)
        #expect(received.alerts.last?.isResolved == true)
    }

    @Test func recordedSeriesOfAnUnansweredRuleAreNotEnded() throws {
        let evaluation = try evaluation("  - {record: r, expr: sum(up)}\n  - {record: s, expr: r}\n")
        answers("sum(up)", [(.empty, 3)])
        run(evaluation, at: 100)
        fails("gone")
        run(evaluation, at: 110)
        fails(nil)
        run(evaluation, at: 120)
        #expect(try fixture.samples("r") == [.empty: ["100: 3", "120: 3"]])
        #expect(server.state.withLock { $0.asked }.first == RuleQuery("sum(up)", at: Timestamp(milliseconds: 100_000)))
    }

    @Test func aRollbackRuleWithoutAnAnswerIsUnknown() throws {
        let evaluation = try evaluation(
            "  - {rollback: R, expr: 'rate(errors[10m])', guard: traffic, trip: '> 1', action: {plan: p}}\n")
        answers("rate(errors[10m])", [(["service": "a"], 2)])
        answers("traffic", [(["service": "a"], 1)])
        run(evaluation, at: 100)
        #expect(received.measurements.map(\.isUnknown) == [false])
        #expect(received.measurements[0].elements.map(\.counts) == [true])
        fails("slow")
        run(evaluation, at: 110)
        #expect(received.measurements[1].isUnknown)
        #expect(received.measurements[1].failure == "slow")
        // A bad rule is not the server's silence.
        fails(nil)
        server.state.withLock { $0.answers["rate(errors[10m])"] = .string("x", .distantPast) }
        run(evaluation, at: 120)
        #expect(!received.measurements[2].isUnknown)
        #expect(received.measurements[2].failure != nil)
    }

    @Test func sampleTimesAreAskedInCommonPromQL() throws {
        let evaluation = try evaluation(
            "  - {rollback: R, expr: 'sum by (service) (rate(e[10m]))', trip: '> 1', consecutive: 2, action: {plan: p}}\n"
        )
        answers("sum by (service) (rate(e[10m]))", [(["service": "a"], 2)])
        answers("max by (service) (timestamp(e))", [(["service": "a"], 90)])
        answers("max by (service) (max_over_time(timestamp(e)[10m:1m]))", [(["service": "a"], 60)])
        run(evaluation, at: 100)
        #expect(received.measurements[0].elements.map(\.sampledAt) == [Timestamp(milliseconds: 90_000)])
        #expect(server.state.withLock { $0.asked.count } == 3)
    }

    @Test func theStateBeforeARestartIsReadFromTheServer() throws {
        let evaluation = try evaluation("  - {alert: A, expr: up == 0, for: 5m}\n", restoring: true)
        answers("up == 0", [(["job": "x"], 0)])
        let state = "ALERTS_FOR_STATE{alertname=\"A\"}[1h]"
        func series(_ replica: String, _ start: Double) -> SeriesSamples {
            SeriesSamples(
                labels: ["__name__": "ALERTS_FOR_STATE", "alertname": "A", "job": "x", "replica": replica],
                timestamps: [80_000, 90_000], values: [start, start])
        }
        // The series of another sender are not ours.
        server.state.withLock { $0.answers[state] = .matrix([series("a", 40), series("b", 1)]) }
        // The stored state cannot be read, so it is not overwritten.
        fails(nil)
        server.state.withLock { $0.answers[state] = .vector([]) }
        run(evaluation, at: 100)
        #expect(evaluation.states[0].lastError.hasPrefix("cannot read ALERTS_FOR_STATE: "))
        #expect(try fixture.samples("ALERTS_FOR_STATE").isEmpty)
        server.state.withLock { $0.answers[state] = .matrix([series("a", 40), series("b", 1)]) }
        run(evaluation, at: 110)
        // Active for 50 s before the outage of 20 s.
        #expect(evaluation.states[0].alerts.active.map(\.activeAt) == [Timestamp(milliseconds: 60_000)])
        #expect(evaluation.states[0].health == .ok)
        run(evaluation, at: 120)
        #expect(try fixture.samples("ALERTS_FOR_STATE").keys.map { $0 } == [["alertname": "A", "job": "x"]])
    }

    @Test func templatesAskTheServer() throws {
        let evaluation = try evaluation(
            "  - {alert: A, expr: up == 0, annotations: {n: '{{ query \"sum(up)\" | first | value }}'}}\n")
        answers("up == 0", [(["job": "x"], 0)])
        answers("sum(up)", [(.empty, 7)])
        run(evaluation, at: 100)
        #expect(received.alerts.map(\.annotations) == [["n": "7"]])
    }

    @Test func theOffsetOfTheServerCountsWhereTheGroupHasNone() throws {
        var settings = settings
        settings.queryOffset = .seconds(1)
        settings.servers = [RuleServerSettings(name: "remote", queryOffset: .seconds(30))]
        for (field, offset) in [("", 30), ("  query_offset: 5s\n", 5), ("  query: own\n", 1)] as [(String, Int64)] {
            let group = try RuleFixture.group("groups:\n- name: g\n\(field)  rules: [{record: r, expr: x}]\n")
            let evaluation = GroupEvaluation(group, engine: QueryEngine(), settings: settings, restoring: false)
            #expect(evaluation.offset == .seconds(offset))
        }
    }

    /// The runner with its threads.
    @Test func aServerThatDoesNotAnswerDelaysNoOtherGroup() throws {
        var settings = settings
        settings.evaluationInterval = .milliseconds(50)
        let groups = try RuleFixture.groups(
            """
            groups:
            - name: asked
              rules: [{record: far, expr: up}]
            - name: own
              query: own
              rules: [{record: near, expr: vector(1)}]
            """)
        server.state.withLock { $0.waits = true }
        let registry = Registry()
        let runner = RuleRunner(
            store: fixture.store, engine: QueryEngine(), servers: server, groups: groups, settings: settings,
            sinks: received.sinks, registry: registry, logger: .silent)
        try runner.start()
        #expect(try Loopback.eventually { try fixture.samples("near").values.contains { $0.count > 2 } })
        #expect(server.state.withLock { $0.finished.isEmpty })
        answers("up", [(.empty, 4)])
        server.state.withLock { $0.waits = false }
        #expect(try Loopback.eventually { try !fixture.samples("far").isEmpty })
        #expect(server.state.withLock { $0.finished.first == .some(nil) })
        // A stop does not wait for an answer.
        server.state.withLock { $0.waits = true }
        runner.stop()
    }

    @Test func aServerThatFallsSilentIsToldOfOnceItsGroupIsGone() throws {
        fails("gone")
        var settings = settings
        settings.evaluationInterval = .milliseconds(50)
        let groups = try RuleFixture.groups("groups: [{name: g, rules: [{record: far, expr: up}]}]")
        let runner = RuleRunner(
            store: fixture.store, engine: QueryEngine(), servers: server, groups: groups, settings: settings,
            sinks: received.sinks, registry: Registry(), logger: .silent)
        try runner.start()
        defer { runner.stop() }
        #expect(Loopback.eventually { server.state.withLock { $0.finished.last == .some("gone") } })
        #expect(Loopback.eventually { runner.snapshots().first?.rules.first?.lastError == "gone" })
        // Alerts of the last run, which were not received since, must not count as ended.
        let long = Timestamp(milliseconds: SystemClock.wallMilliseconds()) - .hours(1)
        #expect(!runner.hasEvaluatedAll(since: long))
        fails(nil)
        #expect(Loopback.eventually { runner.hasEvaluatedAll(since: long) })
        fails("gone")
        #expect(Loopback.eventually { server.state.withLock { $0.finished.last == .some("gone") } })
        runner.reload([], settings: settings)
        #expect(Loopback.eventually { server.state.withLock { $0.finished.last == .some(nil) } })
    }
}
