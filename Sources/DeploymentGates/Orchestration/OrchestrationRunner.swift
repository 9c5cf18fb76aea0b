internal import Instrumentation
internal import JSON
internal import MetricModel
internal import Rollback
internal import Runtime
internal import Synchronization

/// Runs the orchestrator on a thread of its own. Owned by the gate runner.
final class OrchestrationRunner: Sendable {
    /// The functions that the machine needs from the gates. Called on the runner's thread.
    struct Hands: Sendable {
        /// Surveys the services; fails if nothing can be measured. Blocks while the queries run.
        var survey: @Sendable () throws(GateRefusal) -> (BottleneckSurvey, [Recommendation], ServiceGraph)
        /// Improvements in progress and services with a rollout.
        var situation: @Sendable () -> ImprovementOrchestrator.Situation
        /// Queues an improvement for the executor. Returns its id.
        var submit: @Sendable (Recommendation) throws(GateRefusal) -> String
        /// Records that an improvement took too long.
        var abandon: @Sendable (_ id: String) -> Void
        /// Records a cycle.
        var record: @Sendable (JSON) -> Void
        /// Whether this process acts.
        var isResponsible: @Sendable () -> Bool
    }

    private enum Event: Sendable {
        case finished(id: String, succeeded: Bool)
        case reloaded
    }

    private static let eventLimit = 1000

    private let machine: Mutex<ImprovementOrchestrator>
    private let mailbox = Mailbox<Event>(capacity: eventLimit)
    private let thread = Mutex<WorkerThread?>(nil)
    private let hands: Hands
    private let now: @Sendable () -> Timestamp
    private let logger: Logger
    private let cycles: [String: Counter]
    private let lastSurvey = Mutex<JSON>(.null)

    init(
        _ configuration: OrchestrationConfiguration, _ hands: Hands, now: @escaping @Sendable () -> Timestamp,
        logger: Logger, registry: Registry
    ) {
        machine = Mutex(ImprovementOrchestrator(configuration, at: now()))
        self.hands = hands
        self.now = now
        self.logger = logger
        cycles = Dictionary(
            uniqueKeysWithValues: ["done", "paused", "failed"].map { outcome in
                (
                    outcome,
                    registry.counter(
                        "tribune_orchestration_cycles_total", "Cycles that coordinate improvements.",
                        labels: ["outcome": outcome])
                )
            })
    }

    func start() throws(WorkerThread.StartError) {
        let worker = try WorkerThread("orchestration") { [self] in run() }
        thread.withLock { $0 = worker }
    }

    func stop() {
        mailbox.close()
        thread.withLock { $0.take() }?.join()
    }

    func reload(_ configuration: OrchestrationConfiguration) {
        machine.withLock { $0.reloaded(configuration, at: now()) }
        mailbox.send(.reloaded)
    }

    /// An improvement reached its end. If the queue is full, the machine's timeout ends it.
    func finished(_ id: String, succeeded: Bool) { mailbox.send(.finished(id: id, succeeded: succeeded)) }

    /// The state, for people.
    var json: JSON {
        let machine = machine.withLock { $0 }
        return [
            "enabled": .bool(machine.configuration.isEnabled), "state": .string(machine.stateText),
            "next": machine.deadline.map { .string(RFC3339.text(milliseconds: $0.milliseconds)) } ?? .null,
            "last_outcome": machine.lastOutcome?.json ?? .null,
            "queue": .array(
                machine.queue.map { item in
                    [
                        "level": .integer(Int64(item.level)), "deferred": .string(item.deferral),
                        "recommendation": item.recommendation.json,
                    ]
                }),
            "running": .array(
                machine.running.sorted { $0.key < $1.key }.map { id, running in
                    ["improvement_id": .string(id), "recommendation": running.recommendation.json]
                }),
            "services": .array(machine.configuration.services.map(\.json)),
            "last_survey": lastSurvey.withLock { $0 },
        ]
    }

    private func run() {
        while true {
            let deadline = machine.withLock { $0.deadline }
            let pause = deadline.map { max(0, $0.milliseconds - now().milliseconds) * 1_000_000 }
            switch mailbox.receive(deadline: pause.map { SystemClock.monotonicNanoseconds() + $0 }) {
            case .message(.finished(let id, let succeeded)):
                carryOut { $0.finished(id, succeeded: succeeded, at: $1) }
            case .message(.reloaded): continue
            case .timedOut: carryOut { $0.ticked(at: $1) }
            case .closed: return
            }
        }
    }

    private func carryOut(_ step: (inout ImprovementOrchestrator, Timestamp) -> [ImprovementOrchestrator.Action]) {
        var actions = machine.withLock { step(&$0, now()) }[...]
        while let action = actions.popFirst() { actions += carryOut(action) }
    }

    private func carryOut(_ action: ImprovementOrchestrator.Action) -> [ImprovementOrchestrator.Action] {
        switch action {
        case .survey: return survey()
        case .submit(let recommendation):
            do throws(GateRefusal) {
                let id = try hands.submit(recommendation)
                return machine.withLock { $0.submitted(recommendation, id: id, at: now()) }
            } catch {
                logger.warn("improvement not requested", ["reason": error.message, "title": recommendation.title])
                return machine.withLock { $0.refused(recommendation, at: now()) }
            }
        case .abandon(let id):
            hands.abandon(id)
            return []
        case .finish(let outcome):
            cycles[outcome.word]?.add()
            hands.record(["outcome": outcome.json, "survey": lastSurvey.withLock { $0 }])
            logger.info("orchestration cycle ended", ["outcome": outcome.json.encoded])
            return []
        }
    }

    private func survey() -> [ImprovementOrchestrator.Action] {
        do throws(GateRefusal) {
            // Two nodes would ask for everything twice.
            guard hands.isResponsible() else { throw GateRefusal(.conflict, "another node acts") }
            let (survey, found, graph) = try hands.survey()
            lastSurvey.withLock { $0 = survey.measured }
            let situation = hands.situation()
            return machine.withLock { machine in
                machine.surveyed(found, situation, level: graph.level, at: now())
            }
        } catch {
            return machine.withLock { $0.surveyFailed(error.message, at: now()) }
        }
    }
}

extension ImprovementOrchestrator {
    fileprivate var stateText: String {
        switch state {
        case .waiting: "waiting"
        case .surveying: "surveying"
        case .executing(let level): "executing level \(level)"
        case .stabilizing: "stabilizing"
        }
    }
}

extension ImprovementOrchestrator.Outcome {
    fileprivate var word: String {
        switch self {
        case .done: "done"
        case .paused: "paused"
        case .failed: "failed"
        }
    }

    fileprivate var json: JSON {
        switch self {
        case .done(let succeeded, let failed, let deferred):
            [
                "outcome": .string(word), "succeeded": .integer(Int64(succeeded)), "failed": .integer(Int64(failed)),
                "deferred": .integer(Int64(deferred)),
            ]
        case .paused(let level, let ratio):
            ["outcome": .string(word), "level": .integer(Int64(level)), "success_ratio": .number(ratio)]
        case .failed(let reason): ["outcome": .string(word), "reason": .string(reason)]
        }
    }
}

extension OrchestrationConfiguration.Service {
    fileprivate var json: JSON {
        [
            "service": .string(name), "port": port.map { .integer(Int64($0)) } ?? .null,
            "priority": .integer(Int64(priority)), "improvement_frequency": .string(frequency.rawValue),
            "constitutional_constraints": .array(constraints.map(JSON.string)),
            "max_concurrent_improvements": .integer(Int64(maximumConcurrent)),
        ]
    }
}

extension BottleneckSurvey {
    /// The measured values with the bottlenecks by kind, for the record of a cycle.
    fileprivate var measured: JSON {
        let bottlenecks = BottleneckQueries.Kind.allCases.map { kind in
            JSON.Member(
                "\(kind.rawValue)_bottlenecks",
                .array(
                    entries.filter { $0.kind == kind && $0.isBottleneck }.map { entry in
                        [
                            "subject": .string(entry.subject), "metric": .string(entry.name),
                            "current_value": entry.value.map { .number($0) } ?? .null,
                            "threshold": .number(entry.threshold),
                            "severity": .string(entry.severity?.rawValue ?? ""),
                        ]
                    }))
        }
        let metrics = entries.compactMap { entry -> JSON? in
            guard let value = entry.value, value.isFinite else { return nil }
            return ["service": .string(entry.subject), "metric": .string(entry.name), "value": .number(value)]
        }
        return .object(bottlenecks + [.init("metrics", .array(metrics))])
    }
}
