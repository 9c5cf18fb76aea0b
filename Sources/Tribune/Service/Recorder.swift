internal import History
internal import Identity
internal import JSON
internal import MetricModel
internal import Notification
internal import Receivers
internal import Rollback
internal import RuleEngine
internal import RuleModel
internal import Runtime
internal import Synchronization

/// Which incident a rollback belongs to. A value; remembers the last 200 rollbacks.
private struct RollbackIncidents {
    private var known: [(rollback: String, incident: String)] = []

    mutating func began(_ rollback: String, in incident: String) {
        if known.last?.rollback == rollback { return }
        known.removeAll { $0.rollback == rollback }
        known.append((rollback, incident))
        if known.count > 200 { known.removeFirst() }
    }

    /// The incident of `rollback`; its own id where nothing is known of it, as after a restart.
    func incident(of rollback: String) -> String { known.last { $0.rollback == rollback }?.incident ?? rollback }
}

/// Converts reports of the engines to ledger entries. May be used from any thread; never waits for a database.
final class Recorder: Sendable {
    private struct Batch {
        var measurements: [Measurement] = []
        var since: Int64 = 0
    }

    private static let batchLimit = 5000
    private static let batchAge: Int64 = 10_000
    /// Of a message at most so many alerts are named in the record.
    private static let listedAlerts = 200

    let history: HistoryRunner
    private let hotCache: HotCache?
    private let reader: ConfigurationReader
    /// The current configuration.
    private let configuration = Mutex<ConfigurationSnapshot?>(nil)
    private let transitions = Mutex(AlertTransitions())
    private let batch = Mutex(Batch())
    private let incidents = Mutex(RollbackIncidents())
    private let trace: @Sendable (String) -> String?
    /// Whether this process records the engines' reports. A standby sees the same as the leader.
    private let isActive = Atomic<Bool>(true)

    /// - Parameter trace: the trace of an incident; `nil` for none.
    init(
        _ history: HistoryRunner, reader: ConfigurationReader, hotCache: HotCache? = nil,
        trace: @escaping @Sendable (_ incident: String) -> String? = { _ in nil }
    ) {
        self.history = history
        self.trace = trace
        self.reader = reader
        self.hotCache = hotCache
    }

    /// This process now leads, or no longer leads.
    func leads(_ isLeading: Bool) { isActive.store(isLeading, ordering: .relaxed) }

    /// Alerts were sent to the receivers.
    func alerted(_ alerts: [Alert]) {
        let changed = transitions.withLock { $0.received(alerts) }
        history.record(
            changed.map { alert in
                let at = alert.isResolved ? alert.endsAt : alert.startsAt
                return event(
                    .alert, at.milliseconds, alert.labels["alertname"] ?? "",
                    [
                        "annotations": Self.object(alert.annotations), "labels": Self.object(alert.labels),
                        "starts_at": .string(RFC3339.text(milliseconds: alert.startsAt.milliseconds)),
                        "state": .string(alert.isResolved ? "resolved" : "firing"),
                        "value": Self.number(alert.value),
                    ], incident: incident(of: [alert]))
            })
    }

    /// A receiver was notified, or could not be notified for the first time.
    func notified(_ outcome: NotificationRunner.Outcome) {
        guard outcome.failure == nil || outcome.attempt == 1 else { return }
        record(
            .alert, SystemClock.wallMilliseconds(), Self.subject(of: outcome.notification),
            [
                "alerts": .array(
                    outcome.notification.alerts.prefix(Self.listedAlerts).map { .string($0.fingerprint) }),
                "answer": .string(outcome.answer), "attempt": .integer(Int64(outcome.attempt)),
                "error": outcome.failure.map(JSON.string) ?? .null, "group": .string(outcome.notification.groupKey),
                "integration": .string(outcome.integration), "reason": .string(outcome.notification.reason.rawValue),
                "receiver": .string(outcome.notification.receiver),
                "state": .string(outcome.failure == nil ? "delivered" : "failed"),
            ], incident: incident(of: outcome.notification.alerts))
    }

    /// The names of the alerts of a notification, each once.
    private static func subject(of notification: Notification) -> String {
        let names = Set(notification.alerts.compactMap { $0.labels["alertname"] }).sorted()
        let shown = names.prefix(5).joined(separator: ", ")
        return names.count > 5 ? "\(shown) and \(names.count - 5) more" : shown
    }

    /// A silence began, changed or ended. A change by a user is on disk when this returns, unless the disk is full.
    func silenced(_ report: SilenceRunner.Report) {
        func record(_ state: String, _ silence: Silence, by actor: String?, _ more: [JSON.Member] = []) {
            var body: [JSON.Member] = [.init("state", .string(state))]
            if let actor { body.append(.init("by", .string(actor))) }
            body += [.init("comment", .string(silence.comment)), .init("silence", silence.stored)] + more
            let event = LedgerEvent(
                milliseconds: SystemClock.wallMilliseconds(), kind: .silence, subject: silence.matcherText,
                body: Self.withPersons(.object(body)))
            if actor == nil { history.record(event) } else { history.recordDurably(event) }
        }
        switch report {
        case .kept(let silence): record("kept", silence, by: nil)
        case .changed(.created(let silence), let actor): record("created", silence, by: actor)
        case .changed(.updated(let silence, let before), let actor):
            record("updated", silence, by: actor, [.init("before", before.stored)])
        case .changed(.expired(let silence, let successor), let actor):
            record(
                "expired", silence, by: actor, successor.map { [.init("replaced_by", .string($0))] } ?? [])
        case .changed(.ended, _) where !isActive.load(ordering: .relaxed): break
        case .changed(.ended(let silence), let actor): record("ended", silence, by: actor)
        }
    }

    /// A rollback rule was evaluated. Measurements are recorded in batches.
    func measured(_ measurement: RollbackMeasurement) {
        guard !measurement.elements.isEmpty, isActive.load(ordering: .relaxed) else { return }
        let now = SystemClock.wallMilliseconds()
        let name = measurement.definition.name
        batch.withLock { batch in
            if batch.measurements.isEmpty { batch.since = now }
            for element in measurement.elements {
                let labels = element.labels.setting(Labels.metricName, to: "tribune:rollback_measurement")
                batch.measurements.append(
                    Measurement(
                        labels: labels.setting("rule", to: name), timestamp: measurement.time, value: element.value))
            }
        }
        flush(ifOlderThan: Self.batchAge)
    }

    /// Values of the series that `selector` selects were taken for the history.
    func sampled(_ measurements: [Measurement], of selector: String) {
        guard !measurements.isEmpty, isActive.load(ordering: .relaxed) else { return }
        history.record(measurements: measurements, subject: selector)
        hotCache?.put(measurements)
    }

    /// Something happened in a rollout or rollback.
    func happened(_ event: RollbackEvent) {
        // A standby sees violations, but makes no decisions.
        let isCommon = event.kind == .violation || event.isOfEveryNode
        guard isActive.load(ordering: .relaxed) || !isCommon else { return }
        guard let kind = LedgerEvent.Kind(rawValue: event.kind.rawValue) else { return }
        var body = event.body
        // Links the decision to the current rules and plans.
        if kind == .violation || kind == .decision || kind == .verdict, case .object(let members) = body,
            let identity = configuration.withLock({ $0?.identity })
        {
            body = .object(members + [.init("configuration", .string(identity))])
        }
        if let rollback = body["rollback"]?.text, let incident = event.incident {
            incidents.withLock { $0.began(rollback, in: incident) }
        }
        record(kind, event.at.timestamp.milliseconds, event.subject, body, incident: event.incident)
        if let analysis = event.body["gate"] { hotCache?.put(analysis: analysis) }
        // The measurements that led to a decision are recorded close to it.
        if event.kind == .decision || event.kind == .verdict { flush(ifOlderThan: 0) }
    }

    /// The incident of a rollback was raised, by this process or again after a restart.
    func raised(_ incident: RollbackIncident) {
        incidents.withLock { $0.began(incident.id, in: incident.incident) }
    }

    /// A configuration was loaded or rejected.
    ///
    /// - Parameters:
    ///   - main: the file of `--config.file`.
    ///   - files: all files that it was read from. If empty, because it could not be read, those of the current
    ///     configuration.
    ///   - actor: who caused it.
    func configured(_ main: String, files: [String] = [], error: String?, by actor: LedgerActor) {
        let former = configuration.withLock { $0 }
        let snapshot = reader.snapshot(files.isEmpty ? former?.paths ?? [main] : files)
        history.record(
            snapshot.event(
                after: former, subject: main, error: error, actor: actor, at: SystemClock.wallMilliseconds()))
        if error == nil { configuration.withLock { $0 = snapshot } }
    }

    /// A hash that changes with every byte of `files`.
    func identity(of files: [String]) -> String { reader.snapshot(files).identity }

    /// Records the measurements that have waited for `age` milliseconds.
    func flush(ifOlderThan age: Int64) {
        let due: [Measurement] = batch.withLock { batch in
            let waited = SystemClock.wallMilliseconds() - batch.since
            guard !batch.measurements.isEmpty, waited >= age || batch.measurements.count >= Self.batchLimit else {
                return []
            }
            defer { batch.measurements = [] }
            return batch.measurements
        }
        guard !due.isEmpty else { return }
        history.record(measurements: due, subject: "rollback measurements")
        hotCache?.put(due)
    }

    /// The incident that `alerts` are about: the alert of a rollback names the rollback.
    func incident(of alerts: [Alert]) -> String? {
        alerts.lazy.compactMap { $0.annotations["incident"] }.first.map(incident(ofRollback:))
    }

    /// The incident that a rollback belongs to.
    func incident(ofRollback rollback: String) -> String { incidents.withLock { $0.incident(of: rollback) } }

    private func record(
        _ kind: LedgerEvent.Kind, _ milliseconds: Int64, _ subject: String, _ body: JSON, incident: String?
    ) {
        history.record(event(kind, milliseconds, subject, body, incident: incident))
    }

    private func event(
        _ kind: LedgerEvent.Kind, _ milliseconds: Int64, _ subject: String, _ body: JSON, incident: String?
    ) -> LedgerEvent {
        let incident = incident ?? body["rollback"]?.text
        return LedgerEvent(
            milliseconds: milliseconds, kind: kind, subject: subject,
            body: traced(Self.withPersons(body), incident), incident: incident, service: body["service"]?.text)
    }

    /// `body` with the trace of `incident`, if it has one.
    func traced(_ body: JSON, _ incident: String?) -> JSON {
        guard let trace = incident.flatMap(trace), case .object(let members) = body else { return body }
        return .object(members + [.init("trace_id", .string(trace))])
    }

    /// Members with a person's name or a text that a person wrote.
    private static let personalMembers = ["by", "actor", "createdBy", "comment"]

    /// `body` with those members marked, so that their texts can be erased.
    private static func withPersons(_ body: JSON) -> JSON { namesPerson(body) ? marked(body) : body }

    private static func namesPerson(_ body: JSON) -> Bool {
        switch body {
        case .array(let elements): elements.contains(where: namesPerson)
        case .object(let members): members.contains { personalMembers.contains($0.name) || namesPerson($0.value) }
        default: false
        }
    }

    private static func marked(_ body: JSON) -> JSON {
        switch body {
        case .array(let elements): return .array(elements.map(marked))
        case .object(let members):
            return .object(
                members.map { member in
                    if let text = member.value.text, personalMembers.contains(member.name) {
                        return .init(member.name, LedgerEvent.personal(text))
                    }
                    return .init(member.name, marked(member.value))
                })
        default: return body
        }
    }

    private static func object(_ labels: Labels) -> JSON {
        .object(labels.pairs.map { JSON.Member($0.name, .string($0.value)) })
    }

    /// JSON has no NaN and no infinity. The record must distinguish them from null.
    private static func number(_ value: Double) -> JSON {
        value.isFinite ? .number(value) : .string(FloatText.plain(value))
    }
}
