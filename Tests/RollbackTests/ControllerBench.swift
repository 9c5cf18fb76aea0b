import MetricModel
import Testing

@testable import Rollback

/// A controller alone, with routers that answer at once unless they are made silent. Time stands still until it is let
/// run.
struct ControllerBench {
    private(set) var controller: RolloutController
    private(set) var now = Instant(nanoseconds: 1_800_000_000_000_000_000)
    /// The state of the routers, by service.
    var routers: [String: Inspection]
    /// Services whose routers do not answer; what they were asked stays in ``open``.
    var silent: Set<String> = []
    /// The health of the stable version once it has all traffic; `nil` if it does not change.
    var stableAfterShift: TargetHealth?
    /// Everything that routers were asked, in order, as `service inspect`, `service shift 10`, `service isolate`.
    private(set) var asked: [String] = []
    /// The same, each with its key.
    private(set) var keys: [String] = []
    private(set) var records: [JournalRecord] = []
    private(set) var notices: [RollbackNotice] = []
    private(set) var reports: [RollbackReport] = []
    /// Whether routers acknowledge shifts and change nothing.
    var refusesShifts = false
    /// Whether records are made and never stored.
    var isDiskSilent = false
    /// Whether the lease was left to others.
    private(set) var hasYielded = false
    private var open: [RouterOperation] = []

    /// A controller of `plan`, whose routers give everything to healthy stable versions.
    init(_ plan: RolloutPlan, state: RolloutState = RolloutState()) {
        controller = RolloutController(plan: plan, state: state)
        routers = Dictionary(
            uniqueKeysWithValues: plan.services.map { ($0.name, Inspection(split: .allStable, stable: .healthy)) })
    }

    var state: RolloutState { controller.state }

    /// The candidates' live weights, in the order of the plan.
    var live: [Int?] { controller.plan.services.map { routers[$0.name]?.split?.candidate } }

    /// The progress of the services, in plan order.
    var progress: [String] { controller.plan.services.map { state.services[$0.name]?.progress.name ?? "" } }

    /// Limits of responses per event and of timers per hour: a machine that loops fails.
    private static let mostRounds = 10_000

    /// Hands an event to the controller, and the answers to what it asks for.
    mutating func step(_ body: (inout RolloutController, Instant) -> [RolloutController.Action]) {
        perform(body(&controller, now))
        var rounds = 0
        while let index = open.firstIndex(where: { !silent.contains($0.service) }) {
            rounds += 1
            guard rounds < Self.mostRounds else {
                Issue.record("one event is answered by ever more operations: \(asked.suffix(3))")
                return
            }
            let operation = open.remove(at: index)
            let result = carryOut(operation)
            perform(controller.replied(operation.id, result, at: now))
        }
    }

    /// Lets routers answer that are silent no longer.
    mutating func answer() { step { _, _ in [] } }

    @discardableResult
    mutating func command(_ verb: RolloutCommand.Verb, as identity: String? = nil) -> CommandOutcome {
        var outcome = CommandOutcome.accepted
        step { controller, now in
            let (result, actions) = controller.commanded(
                RolloutCommand(verb, by: identity ?? "ops", reason: identity == nil ? "" : "test", identity: identity),
                at: now)
            outcome = result
            return actions
        }
        return outcome
    }

    mutating func measured(_ rule: String, isViolated: Bool?) {
        step { $0.ruleMeasured(rule, isViolated: isViolated, at: $1) }
    }

    /// Wakes the controller whenever it has asked for it, for as long as `span`.
    mutating func run(for span: Milliseconds) {
        let end = now + span
        var rounds = 0
        while let wake = controller.wakeAt, wake <= end {
            rounds += 1
            guard rounds < Self.mostRounds else {
                Issue.record("the controller wants to be woken ever again: at \(wake), now \(now)")
                return
            }
            now = max(now + .milliseconds(1), wake)
            step { $0.timePassed(at: $1) }
        }
        now = max(now, end)
    }

    /// Ends the process and starts another one, which knows only the bytes of the journal.
    mutating func restart() throws {
        var state = RolloutState()
        if let last = records.last { state = try #require(JournalRecord(payload: last.payload)).state }
        open = []
        asked = []
        controller = RolloutController(plan: controller.plan, state: state)
        step { $0.recovered(at: $1) }
    }

    private mutating func perform(_ actions: [RolloutController.Action]) {
        var made: UInt64?
        for action in actions {
            switch action {
            case .journal(let record):
                records.append(record)
                made = record.number
            case .operate(let operation):
                asked.append("\(operation.service) \(Self.text(operation.kind))")
                keys.append("\(asked[asked.count - 1]) \(operation.key)")
                open.append(operation)
            case .notify(let notice): notices.append(notice)
            case .report(let report): reports.append(report)
            case .yieldLease: hasYielded = true
            case .competeForLease: hasYielded = false
            case .ask, .call, .record, .raise, .rearm, .rearmElement, .reconsider: break
            }
        }
        guard let made, !isDiskSilent else { return }
        perform(controller.journalled(through: made, in: .file, at: now))
    }

    private mutating func carryOut(_ operation: RouterOperation) -> OperationResult {
        switch operation.kind {
        case .inspect:
            return routers[operation.service].map(OperationResult.inspected) ?? .failed("there is no such router")
        case .shift(let split):
            if refusesShifts { return .done }
            routers[operation.service]?.split = split
            if split == .allStable, let stableAfterShift { routers[operation.service]?.stable = stableAfterShift }
            return .done
        case .isolate: return .done
        }
    }

    private static func text(_ kind: RouterOperation.Kind) -> String {
        switch kind {
        case .inspect: "inspect"
        case .shift(let split): "shift \(split.candidate)"
        case .isolate: "isolate"
        }
    }
}
