internal import Exporter
internal import History
internal import JSON
internal import MetricModel
internal import MetricStore
internal import Notification
internal import PromQL
internal import Rollback
internal import RuleEngine
internal import Scraper

/// The data that the HTTP API shows, from the engines.
struct ServiceSources {
    let store: MetricStore
    let scraper: ScrapeRunner
    let rules: RuleRunner
    let rollback: RollbackRunner
    let gates: GateRunner
    let history: HistoryRunner
    let alertmanagers: AlertmanagerSender
    let notifier: NotificationRunner
    let silences: SilenceRunner
    let onAlerts: @Sendable ([Alert]) -> Bool
    let state: ServiceState
    let engine: EngineOptions
    let features: ParserFeatures
    let onReload: @Sendable () -> String?
    let onQuit: @Sendable () -> Void

    /// The sources as the exporter wants them.
    var exporterSources: ExporterSources {
        var sources = ExporterSources(store: store)
        sources.engine = engine
        sources.features = features
        sources.externalLabels = { [state] in state.configuration.prometheus.externalLabels }
        sources.configuration = { [state] in state.configuration.prometheus.shownText }
        sources.targets = { [scraper] in scraper.snapshots() }
        sources.droppedTargets = { [scraper] in scraper.droppedTargets() }
        sources.scrapePools = { [state] in state.configuration.prometheus.pools.map(\.name) }
        sources.metadata = { [scraper] in
            scraper.metadata().map { TargetMetadata(target: $0.labels, families: $0.metadata) }
        }
        sources.ruleGroups = { [rules, rollback] in rules.snapshots().map { Self.completed($0, by: rollback) } }
        sources.alertmanagers = { [alertmanagers] in alertmanagers.urls }
        sources.notifications = { [notifier] in notifier.queue }
        sources.takeAlerts = onAlerts
        sources.silences = { [silences] in silences.silences }
        sources.setSilence = { [silences] in silences.set($0, by: $1) }
        sources.expireSilence = { [silences] in silences.expire($0, by: $1) }
        sources.isReady = { [state] in state.isReady }
        sources.limitations = { [history] in history.status.halt.map { ["history halted: \($0)"] } ?? [] }
        sources.lastReload = { [state] in state.outcome }
        sources.reload = onReload
        sources.quit = onQuit
        sources.rollouts = { [rollback] in rollback.snapshots.map { Self.status($0) } }
        sources.report = { [rollback] plan in rollback.snapshots.first { $0.plan == plan }?.report?.markdown }
        sources.command = { [rollback] in Self.command($0, rollback) }
        sources.gateToken = { [state] in state.configuration.file.gates.token }
        sources.gate = { [gates] in gates.answer($0) }
        sources.bottlenecks = { [gates] in gates.bottlenecks() }
        sources.events = { [history] in Self.events($0, history) }
        return sources
    }

    /// Adds the state of rollback rules, which only the rollback engine knows.
    private static func completed(_ group: RuleGroupSnapshot, by rollback: RollbackRunner) -> RuleGroupSnapshot {
        var group = group
        group.rules = group.rules.map { rule in
            guard case .rollback(let trip, let severity, let mode, _, _) = rule.kind,
                let standing = rollback.standing(of: "\(group.file);\(group.name);\(rule.name)")
            else { return rule }
            var rule = rule
            rule.kind = .rollback(
                trip: trip, severity: severity, mode: mode, streak: standing.streak, isTripped: standing.isTripped)
            return rule
        }
        return group
    }

    private static func status(_ snapshot: RolloutSnapshot) -> RolloutStatus {
        let timeline = snapshot.report?.rollback.timeline ?? []
        return RolloutStatus(
            plan: snapshot.plan, state: snapshot.phase,
            routes: snapshot.services.map { service in
                RolloutStatus.Route(
                    service: service.name, state: service.progress,
                    candidateWeight: service.split.candidate, stable: "stable", candidate: "candidate",
                    frozen: service.frozen)
            },
            timeline: timeline.map { entry in
                let subject = entry.service.map { "\($0): " } ?? ""
                return RolloutStatus.Moment(
                    at: entry.at.timestamp,
                    text: subject + entry.step + (entry.detail.isEmpty ? "" : ": " + entry.detail))
            }, details: snapshot.json)
    }

    private static func command(_ order: RolloutOrder, _ rollback: RollbackRunner) -> RolloutOrderOutcome {
        let verb: RolloutCommand.Verb =
            switch order.verb {
            case .start: .start
            case .pause: .pause
            case .resume: .resume
            case .promote: .promote
            case .abort: .abort
            case .rollback: .rollback(services: order.services.isEmpty ? nil : order.services)
            }
        guard rollback.snapshots.contains(where: { $0.plan == order.plan }) else { return .unknownPlan }
        switch rollback.command(RolloutCommand(verb, by: order.actor, reason: order.reason), plan: order.plan) {
        case .accepted: return .accepted
        case .ignored(let reason): return .ignored(reason)
        case .refused(let reason): return .refused(reason)
        }
    }

    private static func events(_ query: EventQuery, _ history: HistoryRunner) -> [RecordedEvent]? {
        do throws(HistoryError) {
            let found = try history.query(
                LedgerQuery(
                    kinds: query.kinds, from: query.from?.milliseconds,
                    through: query.through?.milliseconds, limit: query.limit))
            return found.map { RecordedEvent(index: $0.sequence, event: $0.event) }
        } catch {
            return nil
        }
    }
}
