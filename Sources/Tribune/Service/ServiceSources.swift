internal import AlertmanagerAPI
internal import DeploymentGates
internal import Exporter
internal import History
internal import Identity
internal import Instrumentation
internal import JSON
internal import MetricModel
internal import MetricStore
internal import Notification
internal import OnCallRunner
internal import PromQL
internal import PrometheusAPI
internal import RemoteWrite
internal import Rollback
internal import RolloutRunner
internal import RuleEngine
internal import RuleModel
internal import Scraper
internal import TribuneAPI
internal import WebCore

/// Access of the HTTP APIs to the engines' data.
struct ServiceSources {
    let store: MetricStore
    let engine: QueryEngine
    let scraper: ScrapeRunner
    let rules: RuleRunner
    let rollback: RollbackRunner
    let gates: GateRunner
    let history: HistoryRunner
    let recorder: Recorder
    let hotCache: HotCache?
    let alertmanagers: AlertmanagerSender
    let notifier: NotificationRunner
    let silences: SilenceRunner
    let onCall: OnCallRunner
    let onAlerts: @Sendable ([Alert]) -> Bool
    let accessControl: AccessControl
    let url: ExternalURL
    let state: ServiceState
    let onReload: @Sendable (Principal) -> ConfigurationReload
    let onQuit: @Sendable () -> Void

    /// The data of Prometheus's API.
    var prometheus: PrometheusSources {
        var sources = PrometheusSources(store: store)
        sources.configuration = { [state] in state.configuration.prometheus.shownText }
        sources.targets = { [scraper] in scraper.snapshots() }
        sources.droppedTargets = { [scraper] in scraper.droppedTargets() }
        sources.scrapePools = { [state] in state.configuration.prometheus.pools.map(\.name) }
        sources.metadata = { [scraper] in
            scraper.metadata().map { TargetMetadata(target: $0.labels, families: $0.metadata) }
        }
        sources.ruleGroups = ruleGroups
        sources.alertmanagers = { [alertmanagers] in alertmanagers.urls }
        sources.isReady = { [state] in state.isReady }
        sources.limitations = { [history] in history.status.halt.map { ["history halted: \($0)"] } ?? [] }
        sources.actingFaults = { [rollback] in rollback.limitations }
        sources.lastReload = { [state] in state.outcome }
        sources.reload = onReload
        sources.quit = onQuit
        return sources
    }

    /// The data of Alertmanager's API.
    var alertmanager: AlertmanagerSources {
        var sources = AlertmanagerSources()
        sources.notifications = { [notifier] in notifier.queue }
        sources.takeAlerts = onAlerts
        sources.silences = { [silences] in silences.silences }
        sources.acknowledgements = { [onCall] in onCall.acknowledgements }
        sources.setSilence = { [silences] in silences.set($0, by: $1) }
        sources.expireSilence = { [silences] in silences.expire($0, by: $1) }
        return sources
    }

    /// The data of Tribune's API.
    var tribune: TribuneSources {
        var sources = TribuneSources()
        sources.rollouts = { [rollback] in rollback.snapshots }
        sources.alerts = { [rules] in rules.snapshots().flatMap(\.rules).flatMap(\.activeAlerts) }
        sources.targets = { [scraper] in scraper.snapshots() }
        sources.command = { [rollback] in rollback.command($0, plan: $1) }
        sources.verdicts = VerdictSources(
            standings: { [rollback] in rollback.verdictStandings },
            ask: { [rollback] (name, question) throws(RollbackRunner.VerdictFault) in try rollback.ask(name, question)
            },
            end: { [rollback] (name, person) throws(RollbackRunner.VerdictFault) in
                try rollback.endVerdict(name, by: person)
            })
        sources.identities = { [accessControl] in accessControl.identities }
        sources.login = LoginSources(accessControl, url)
        sources.tokens.issue = { [accessControl] in accessControl.issueTokens(for: $0) }
        sources.tokens.refresh = { [accessControl] in accessControl.refreshTokens($0) }
        sources.tokens.unblock = { [accessControl] in accessControl.pardon(address: $0) }
        sources.tokens.revoke = { [accessControl] in accessControl.revokeTokens($0) }
        sources.gate = { [gates] in gates.respond(to: $0) }
        sources.changeTask = { [recorder] in recorder.changed($0, of: $1, by: $2) }
        sources.evidence = { [self] in evidence($0, $1) }
        sources.serviceMetrics = { [gates] in gates.serviceMetrics($0) }
        sources.orchestration = { [gates] in gates.orchestration() }
        sources.bottlenecks = { [gates] in gates.bottlenecks() }
        let explainer = AlertExplainer(
            store: store, engine: engine, rules: ruleGroups, notifications: { [notifier] in notifier.queue },
            silences: { [silences] in silences.silences },
            events: { [history] (query) throws(HistoryError) in try history.events(query).entries })
        sources.explain = { explainer.explain($0, filters: $1, at: $2) }
        sources.ledger = ledger
        sources.onCall = onCallSources
        return sources
    }

    private var onCallSources: OnCallSources {
        var sources = OnCallSources()
        sources.book = { [onCall] in onCall.book }
        sources.integrations = { [onCall] in onCall.integrations }
        sources.receive = { [onCall] (signal) throws(OnCallRefusal) in try onCall.receive(signal) }
        sources.order = { [onCall] (order, page) throws(OnCallRefusal) in try onCall.order(order, page: page) }
        sources.plan = { [onCall] (order) throws(OnCallRefusal) in try onCall.order(order) }
        sources.checkSlack = { [onCall] (body, timestamp, signature) throws(ChatRefusal) in
            try onCall.checkSlack(body: body, timestamp: timestamp, signature: signature)
        }
        sources.chatOrder = { [onCall] (action, service, peer) throws(ChatRefusal) in
            try onCall.order(of: action, at: service, peer: peer)
        }
        sources.pushKey = { [onCall] in onCall.pushKey }
        sources.orderBrowser = { [onCall] order throws(OnCallRefusal) in try onCall.order(order) }
        sources.calendarToken = { [onCall] in onCall.calendarToken(of: $0) }
        sources.calendarPerson = { [onCall] in onCall.person(ofCalendar: $0) }
        sources.link = { [onCall] (token) throws(PageLinks.Refusal) in try onCall.link(token) }
        return sources
    }

    private var ledger: LedgerSources {
        var sources = LedgerSources()
        sources.events = { [history] (query, cursor) throws(HistoryError) in
            try history.events(query, from: cursor)
        }
        sources.checkpoint = { [history] () throws(HistoryError) in try history.checkpoint() }
        sources.proof = { [history] (entry) throws(HistoryError) in try history.proof(of: entry) }
        sources.consistency = { [history] (old, size) throws(HistoryError) in
            try history.consistency(from: old, to: size)
        }
        sources.tile = { [history] (level, index) throws(HistoryError) in
            try history.tile(level: level, index: index)
        }
        sources.status = { [history] in history.status }
        sources.days = { [history] (from, through, service) throws(HistoryError) in
            try history.serviceDays(from: from, through: through, service: service)
        }
        sources.pack = { [history] (scope, name) throws(HistoryError) in try history.packArchive(scope, named: name) }
        sources.latest = { [history, hotCache] (service) throws(HistoryError) in
            if let cached = hotCache?.current(service) { return (cached, true) }
            let found = try history.latestMeasurements(of: service)
            // The next reader finds them in the cache.
            hotCache?.put(found)
            return (ServiceMetrics(found), false)
        }
        return sources
    }

    /// The data of the exporter.
    var exporter: ExporterSources {
        var sources = ExporterSources(store: store)
        sources.externalLabels = { [state] in state.configuration.prometheus.externalLabels }
        sources.rollouts = { [rollback] in rollback.snapshots }
        sources.ruleGroups = ruleGroups
        return sources
    }

    private var ruleGroups: @Sendable () -> [RuleGroupSnapshot] {
        { [rules, rollback] in rules.snapshots().map { Self.completed($0, by: rollback) } }
    }

    /// Adds the state of rollback rules, which is only in the rollback engine.
    private static func completed(_ group: RuleGroupSnapshot, by rollback: RollbackRunner) -> RuleGroupSnapshot {
        var group = group
        group.rules = group.rules.map { rule in
            guard case .rollback(let trip, let severity, let mode, _, let annotations, _) = rule.kind,
                let standing = rollback.standing(of: "\(group.file);\(group.name);\(rule.name)")
            else { return rule }
            var rule = rule
            rule.kind = .rollback(
                trip: trip, severity: severity, mode: mode, streak: standing.streak, annotations: annotations,
                alerts: standing.alerts)
            return rule
        }
        return group
    }
}
