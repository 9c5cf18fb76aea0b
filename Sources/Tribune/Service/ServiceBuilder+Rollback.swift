internal import Database
internal import DeploymentGates
internal import History
internal import Instrumentation
internal import Lease
internal import MetricModel
internal import Notification
internal import Rollback
internal import RolloutRunner
internal import RuleEngine
internal import Runtime

extension ServiceBuilder {
    /// Reads the journals. Nothing is done before the engine's `start`.
    func openRollback(
        _ queries: QuerySources, _ history: HistoryRunner, _ recorder: Recorder, _ traces: IncidentTraces,
        _ alerts: OwnAlerts
    ) throws(CommandFailure) -> RollbackRunner {
        let directory = try journalDirectory()
        var settings = RollbackRunner.Settings(
            directory: directory, logger: logger, registry: registry,
            evaluate: { queries.gate($0, $1) })
        settings.rules = configuration.watches
        settings.verdicts = configuration.verdictRules
        settings.trace = { traces.trace(of: $0) }
        settings.lease = try lease(in: directory, history, recorder)
        let sinks = rollbackSinks(recorder, traces, alerts)
        return try Self.start("the rollback engine") { () throws(JournalError) in
            try RollbackRunner(plans: configuration.plans, settings: settings, sinks: sinks)
        }
    }

    /// The configured lease; `nil` for a process that runs alone.
    private func lease(
        in directory: String, _ history: HistoryRunner, _ recorder: Recorder
    ) throws(CommandFailure) -> LeaseSettings? {
        guard let wanted = configuration.file.lease else { return nil }
        recorder.leads(false)
        return LeaseSettings(
            store: PostgresLease(leaseSession(wanted)),
            holder: try NodeName.text(wanted.node, in: directory), milliseconds: wanted.duration.rawValue,
            onChange: { standing in
                recorder.leads(standing != .none)
                history.turnChanged(isOurs: standing != .none)
            })
    }

    private func rollbackSinks(
        _ recorder: Recorder, _ traces: IncidentTraces, _ alerts: OwnAlerts
    ) -> RollbackSinks {
        RollbackSinks(
            event: { event in
                recorder.happened(event)
                traces.happened(event)
            },
            incident: { [externalURL] incident in
                recorder.raised(incident)
                alerts.send([IncidentAlerts.firing(incident, at: Self.now(), externalURL: externalURL)])
            },
            notice: { [logger, externalURL] notice in
                if notice.kind == .over {
                    logger.info("rollout notice withdrawn", ["plan": notice.plan, "text": notice.text])
                } else {
                    logger.warn(
                        "rollout notice", ["plan": notice.plan, "kind": notice.kind.rawValue, "text": notice.text])
                }
                guard let alert = IncidentAlerts.alert(of: notice, at: Self.now(), externalURL: externalURL) else {
                    return
                }
                alerts.send([alert])
            },
            report: { [logger] report in
                let verdict = report.rollback.verdict
                let (plan, id, detail) = (report.plan, report.rollback.id, verdict?.detail ?? "no verdict")
                let logger = traces.marked(logger, report.rollback.incident)
                if verdict?.isValid == true {
                    logger.info("rollback validated", ["plan": plan, "id": id, "reason": detail])
                } else {
                    logger.error("rollback not validated", ["plan": plan, "id": id, "error": detail])
                }
                let ends = IncidentAlerts.resolved(by: report, at: Self.now())
                if !ends.isEmpty { alerts.send(ends, urgent: false) }
            },
            verdict: { [logger, externalURL] alert in
                if alert.isOver {
                    logger.info("verdict alert resolved", ["verdict": alert.verdict, "text": alert.text])
                } else {
                    logger.warn("verdict alert", ["verdict": alert.verdict, "text": alert.text])
                }
                alerts.send([IncidentAlerts.alert(of: alert, at: Self.now(), externalURL: externalURL)])
            })
    }
}
