internal import Notification
internal import Rollback
internal import Runtime
internal import Tracing

/// Passes what happens in incidents to the traces, and marks log lines with their ids. May be used from any thread.
struct IncidentTraces: Sendable {
    private let runner: TraceRunner
    private let recorder: Recorder
    private let logger: Logger

    init(_ runner: TraceRunner, _ recorder: Recorder, logger: Logger) {
        self.runner = runner
        self.recorder = recorder
        self.logger = logger.with("component", "notification")
    }

    /// The id of the trace of `incident`; `nil` if none is sent.
    func trace(of incident: String) -> String? { runner.trace(of: incident) }

    /// Something happened in a rollout.
    func happened(_ event: RollbackEvent) { runner.happened(event) }

    /// A receiver was asked to take a notification. Those about an incident are logged.
    func notified(_ outcome: NotificationRunner.Outcome) {
        guard let incident = recorder.incident(of: outcome.notification.alerts) else { return }
        let end = SystemClock.wallMilliseconds() * 1_000_000
        runner.notified(
            incident, receiver: outcome.notification.receiver, integration: outcome.integration,
            attempt: outcome.attempt, failure: outcome.failure, from: end - outcome.nanoseconds, to: end)
        guard outcome.failure == nil else { return }
        marked(logger, incident).info(
            "receiver notified of an incident",
            ["receiver": "\(outcome.notification.receiver)/\(outcome.integration)", "attempt": outcome.attempt])
    }

    /// `logger` with the incident and its trace in each line.
    func marked(_ logger: Logger, _ incident: String) -> Logger {
        let logger = logger.with("incident", incident)
        return trace(of: incident).map { logger.with("trace_id", $0) } ?? logger
    }
}
