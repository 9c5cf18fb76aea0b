import MetricModel
import RuleModel
import Testing

@testable import Rollback

/// The machine of a plan with routers that reply at once and rules that are measured every second. Time passes only in
/// `run`.
struct MachineBench {
    private(set) var machine: PlanMachine
    private(set) var now = Instant(nanoseconds: 1_800_000_000_000_000_000)
    private(set) var notices: [RollbackNotice] = []
    private(set) var events: [RollbackEvent] = []
    private(set) var questions: [GateQuestion] = []
    private(set) var calls: [HookCall] = []
    private(set) var reports: [RollbackReport] = []
    private(set) var watches: [RuleWatch]
    /// The result of each rule for a service whose candidate has `percent` of the traffic since `since`.
    var measure: (_ rule: String, _ service: String, _ percent: Int, _ since: Instant?) -> RollbackMeasurement.Element?
    /// The share of each candidate, by service.
    var live: [String: Int] = [:]
    /// The services whose testers reach the candidate.
    var testers: Set<String> = []
    /// The health of every stable version.
    var stable = TargetHealth.healthy
    private var rules: [(key: String, definition: RollbackDefinition, services: [String])]

    /// A bench of `plan` with rules for `services`.
    init(
        _ plan: RolloutPlan, _ rules: [(definition: RollbackDefinition, services: [String])],
        firstData: Milliseconds = .seconds(10),
        measure: @escaping (String, String, Int, Instant?) -> RollbackMeasurement.Element?
    ) {
        self.rules = rules.map { ("f;g;\($0.definition.name)", $0.definition, $0.services) }
        watches = self.rules.map {
            RuleWatch(rule: $0.key, definition: $0.definition, services: $0.services, firstData: firstData)
        }
        machine = PlanMachine(RolloutController(plan: plan), watches: watches)
        self.measure = measure
        let now = now
        step { $0.recovered(at: now) }
    }

    /// Another process takes up the state and the rules that this one left.
    mutating func restart() {
        machine = PlanMachine(
            RolloutController(plan: controller.plan, state: controller.state), rules: machine.rules, watches: watches)
        let now = now
        step { $0.recovered(at: now) }
    }

    var controller: RolloutController { machine.controller }

    /// The candidates' live weights, in the order of the plan.
    var weights: [Int] { controller.plan.services.map { live[$0.name] ?? 0 } }

    @discardableResult
    mutating func command(_ verb: RolloutCommand.Verb, reason: String = "") -> CommandOutcome {
        var outcome = CommandOutcome.accepted
        let now = now
        step { machine in
            machine.step(at: now) { controller in
                let (result, actions) = controller.commanded(RolloutCommand(verb, by: "ops", reason: reason), at: now)
                outcome = result
                return actions
            }
        }
        return outcome
    }

    /// Lets `seconds` pass; every rule is measured in each of them.
    mutating func run(seconds: Int) {
        for _ in 0..<seconds {
            now = now + .seconds(1)
            let now = now
            step { machine in machine.step(at: now) { $0.timePassed(at: now) } }
            for rule in rules {
                let elements = controller.plan.services.compactMap { service in
                    measure(
                        rule.definition.name, service.name, live[service.name] ?? 0,
                        controller.state.services[service.name]?.trafficSince)
                }
                let measurement = RollbackMeasurement(
                    rule: rule.key, ruleHash: "h", definition: rule.definition, time: now.timestamp,
                    elements: elements)
                step { $0.measured(measurement, at: now) }
            }
        }
    }

    mutating func step(_ body: (inout PlanMachine) -> [PlanMachine.Action]) {
        var actions = body(&machine)
        while !actions.isEmpty {
            guard case .control(let action) = actions.removeFirst() else { continue }
            switch action {
            case .operate(let operation):
                let result = carryOut(operation)
                let now = now
                actions += machine.step(at: now) { $0.replied(operation.id, result, at: now) }
            case .ask(let question): questions.append(question)
            case .call(let call): calls.append(call)
            case .notify(let notice): notices.append(notice)
            case .record(let event): events.append(event)
            case .report(let report): reports.append(report)
            case .journal(let record):
                let now = now
                actions += machine.step(at: now) { $0.journalled(through: record.number, in: .file, at: now) }
            case .raise, .rearm, .rearmElement, .reconsider, .yieldLease, .competeForLease: break
            }
        }
    }

    private mutating func carryOut(_ operation: RouterOperation) -> OperationResult {
        switch operation.kind {
        case .inspect:
            let split = TrafficSplit(candidate: live[operation.service] ?? 0)
            let isOpen = testers.contains(operation.service)
            return .inspected(Inspection(split: isOpen ? split?.withTesters : split, stable: stable))
        case .shift(let split):
            live[operation.service] = split.candidate
            if split > .allStable { testers.insert(operation.service) } else { testers.remove(operation.service) }
            return .done
        case .isolate: return .done
        }
    }
}
