internal import Lease
public import Rollback
internal import RuleModel
internal import Runtime

/// The receivers of the runner's outputs. Called from one thread of the runner; a sink that hangs delays other sinks,
/// but never a shift.
public struct RollbackSinks: Sendable {
    /// For the history.
    public var event: @Sendable (RollbackEvent) -> Void
    /// For incident handling.
    public var incident: @Sendable (RollbackIncident) -> Void
    /// For notifications.
    public var notice: @Sendable (RollbackNotice) -> Void
    /// Finished rollbacks.
    public var report: @Sendable (RollbackReport) -> Void
    /// For notifications about verdicts.
    public var verdict: @Sendable (VerdictAlert) -> Void

    /// Sinks; omitted ones drop their values.
    public init(
        event: @escaping @Sendable (RollbackEvent) -> Void = { _ in },
        incident: @escaping @Sendable (RollbackIncident) -> Void = { _ in },
        notice: @escaping @Sendable (RollbackNotice) -> Void = { _ in },
        report: @escaping @Sendable (RollbackReport) -> Void = { _ in },
        verdict: @escaping @Sendable (VerdictAlert) -> Void = { _ in }
    ) {
        self.event = event
        self.incident = incident
        self.notice = notice
        self.report = report
        self.verdict = verdict
    }
}

/// A message for the thread of a plan.
enum PlanMessage: Sendable {
    case measured(RollbackMeasurement)
    case replied(UInt64, OperationResult)
    case gatesAnswered(UInt64, [GateAnswer])
    case hookAnswered(UInt64, HookAnswer)
    case command(RolloutCommand, Reply<CommandOutcome>)
    case plan(RolloutPlan, Reply<String?>)
    case rules([RuleWatch])
    /// A receiver has accepted the incident of a rollback.
    case notified(rollback: String, receiver: String)
    case history(isAvailable: Bool)
    /// The journal's thread has written, or failed to.
    case journal(JournalWriter.Outcome)
    /// The record with this number is in the lease's table.
    case storedInLease(UInt64)
    /// The permissions of this node under the lease changed; read them from ``LeaseRunner``.
    case lease
    case probe(Pulse)
}

/// A place for one reply between threads.
final class Reply<Value: Sendable>: Sendable {
    private let box = Mailbox<Value>(capacity: 1)

    func give(_ value: Value) {
        box.send(value)
    }

    /// Waits for the reply; `nil` after `seconds`.
    func wait(seconds: Int64) -> Value? {
        let deadline = SystemClock.monotonicNanoseconds() + seconds * 1_000_000_000
        if case .message(let value) = box.receive(deadline: deadline) { return value }
        return nil
    }
}
