internal import Database
internal import MetricModel
internal import Notification
internal import OnCall
internal import OnCallRunner
internal import Receivers
internal import RolloutRunner
internal import RuleModel
internal import Runtime

extension ServiceBuilder {
    /// Reads the journal of pages. Nothing is done before the engine's `start`.
    func openOnCall(
        _ rollback: RollbackRunner, _ recorder: Recorder, _ alerts: OwnAlerts
    ) throws(CommandFailure) -> OnCallRunner {
        let directory = "\(settings.storagePath)/oncall"
        guard Paths.makeDirectory(directory, isPrivate: true) else {
            throw CommandFailure("\(directory): \(SystemError.current)")
        }
        var engine = OnCallRunner.Settings(
            directory: directory, externalURL: externalURL, logger: logger, registry: registry)
        engine.mayAct = { rollback.isResponsible }
        engine.fetch = CalendarFetch().bytes
        if let wanted = configuration.file.lease {
            let session = leaseSession(wanted) { (database) throws(DatabaseError) in
                _ = try Migrator(database, PostgresPages.schema, now: Self.now().milliseconds).migrate()
            }
            engine.store = PostgresPages(
                session, holder: try NodeName.text(wanted.node, in: try journalDirectory()),
                epoch: { rollback.leaseEpoch })
        }
        var sinks = OnCallRunner.Sinks()
        sinks.event = { recorder.paged($0) }
        sinks.schedule = { recorder.planned($0) }
        sinks.alarm = { [externalURL] alarm, isOver in
            alerts.send([PageAlerts.alert(of: alarm, isOver: isOver, at: Self.now(), externalURL: externalURL)])
        }
        let settings = engine
        let reports = sinks
        return try Self.start("on-call") { () throws(OnCallStartError) in
            try OnCallRunner(configuration.onCallRunner, settings: settings, sinks: reports)
        }
    }
}

extension LoadedConfiguration {
    /// The parts of the files that the on-call engine needs.
    var onCallRunner: OnCallRunner.Configuration {
        OnCallRunner.Configuration(onCall, receivers: notification.receivers, templates: notification.templates)
    }

    /// The notification configuration, in which receivers open pages.
    func notification(joining runner: OnCallRunner) -> NotificationConfiguration {
        var joined = notification
        runner.join(&joined.receivers, onCall)
        return joined
    }
}

/// Alarms of on-call as alerts, so that they are notified over the same routes as all alerts.
enum PageAlerts {
    /// How long an alarm counts as open when nothing more is heard of it.
    private static let openFor = Milliseconds.hours(24 * 7)

    static func alert(of alarm: PageAlarm, isOver: Bool, at now: Timestamp, externalURL: String = "") -> Alert {
        let reason =
            switch alarm.reason {
            case .unanswered: "nobody has acknowledged it in all rounds of its policy"
            case .unreachable: "a step of its policy means nobody now"
            case .undelivered: "a receiver does not take its calls"
            }
        return Alert(
            labels: [
                "alertname": PageAlarm.alertName, "page": alarm.page, "reason": alarm.reason.rawValue,
                "severity": "critical",
            ],
            annotations: ["summary": "Page \(alarm.page) (\(alarm.title)): \(reason)"],
            startsAt: min(alarm.since, now), endsAt: isOver ? now : now + openFor, isResolved: isOver,
            generatorURL: externalURL, value: isOver ? 0 : 1)
    }
}
