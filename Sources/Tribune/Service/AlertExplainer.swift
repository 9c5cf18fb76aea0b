internal import DeploymentGates
internal import History
internal import JSON
internal import MetricModel
internal import MetricStore
internal import Notification
internal import PromQL
internal import RuleEngine
internal import RuleModel
internal import Runtime
internal import TribuneAPI

/// Explains an alert at a time: the measurement of its rule, its suppressions, its routes, and the responses of
/// receivers. Any thread may use it; it waits for the ledger's database.
struct AlertExplainer: Sendable {
    let store: MetricStore
    let engine: QueryEngine
    let rules: @Sendable () -> [RuleGroupSnapshot]
    let notifications: @Sendable () -> NotificationQueue
    let silences: @Sendable () -> SilenceSet
    let events: @Sendable (LedgerQuery) throws(HistoryError) -> [LedgerEntry]

    private enum Limit {
        /// The limit of alerts in one explanation.
        static let alerts = 50
        static let deliveries = 50
        /// The deliveries within this time before and after the given time are listed.
        static let before = Milliseconds.hours(24)
        static let after = Milliseconds.minutes(30)
    }

    /// An alert at the given time.
    private struct Subject {
        var labels: Labels
        /// `pending`, `firing`, `inactive`.
        var state: String
        var activeAt: Timestamp?
        var value: Double?
        var hold: Milliseconds?
    }

    /// Explains the alerts named `name` that match all `filters`.
    func explain(_ name: String, filters: [String], at time: Timestamp) -> Result<JSON, ExplanationRefusal> {
        var matchers: [LabelMatcher] = []
        for text in filters {
            do throws(LabelMatcherError) { matchers.append(try LabelMatcher(parsing: text)) } catch {
                return .failure(ExplanationRefusal("filter \(text): \(error.reason)"))
            }
        }
        let known = rules().flatMap { group in
            group.rules.filter { $0.name == name && $0.isAlerting }.map { (group: group, rule: $0) }
        }
        var subjects = stored(name, at: time)
        for (_, rule) in known { complete(&subjects, by: rule, name, at: time) }
        for alert in posted(name, at: time) where subjects[alert.labels] == nil {
            subjects[alert.labels] = Subject(labels: alert.labels, state: "firing", activeAt: alert.startsAt)
        }
        let found = subjects.values.filter { subject in matchers.allSatisfy { $0.matches(subject.labels) } }
            .sorted { $0.labels < $1.labels }
        guard !known.isEmpty || !found.isEmpty else {
            return .failure(ExplanationRefusal("no rule and no alert is named \"\(name)\"", isUnknown: true))
        }
        let firing = firing(at: time)
        return .success([
            "alert": .string(name), "time": .string(RFC3339.text(milliseconds: time.milliseconds)),
            "rules": .array(known.map { json($0.group, $0.rule, at: time) }),
            "alerts": .array(found.prefix(Limit.alerts).map { json($0, firing, at: time) }),
            "omitted": .integer(Int64(max(0, found.count - Limit.alerts))),
        ])
    }

    // MARK: What was

    private func elements(of text: String, at time: Timestamp) -> Result<[(labels: Labels, value: Double)], QueryError>
    {
        do throws(QueryError) {
            return .success(try engine.elements(of: text, at: time, from: store).map { ($0.labels, $0.value) })
        } catch {
            return .failure(error)
        }
    }

    /// The active alerts of the rules, from their stored series.
    private func stored(_ name: String, at time: Timestamp) -> [Labels: Subject] {
        let selector = "{alertname=\(MetricText.quoted(name))}"
        var subjects: [Labels: Subject] = [:]
        for element in (try? elements(of: "ALERTS\(selector)", at: time).get()) ?? [] {
            let labels = element.labels.dropping([Labels.metricName, "alertstate"])
            let state = element.labels["alertstate"] ?? ""
            // If both states are within the lookback, the later one is used.
            if subjects[labels]?.state != "firing" { subjects[labels] = Subject(labels: labels, state: state) }
        }
        for element in (try? elements(of: "ALERTS_FOR_STATE\(selector)", at: time).get()) ?? [] {
            let labels = element.labels.dropping([Labels.metricName])
            let seconds = element.value * 1000
            guard seconds.magnitude < 0x1p53 else { continue }
            subjects[labels]?.activeAt = Timestamp(milliseconds: Int64(seconds))
        }
        return subjects
    }

    /// Adds the results of the expression of `rule`; those without an active alert are inactive.
    private func complete(
        _ subjects: inout [Labels: Subject], by rule: RuleSnapshot, _ name: String, at time: Timestamp
    ) {
        guard case .alerting(let hold, _, _, _) = rule.kind else { return }
        for element in (try? elements(of: rule.query, at: time).get()) ?? [] {
            let measured = element.labels.dropping([Labels.metricName])
            // Labels of the rule are templates: the alert is the one with all measured labels.
            let own = Set(rule.labels.pairs.map(\.name) + ["alertname"])
            let known = subjects.keys.first { labels in
                measured.pairs.allSatisfy { own.contains($0.name) || labels[$0.name] == $0.value }
                    && labels.pairs.allSatisfy { own.contains($0.name) || measured[$0.name] == $0.value }
            }
            let labels =
                known
                ?? rule.labels.pairs.reduce(measured) { $0.setting($1.name, to: $1.value) }
                .setting("alertname", to: name)
            var subject = subjects[labels] ?? Subject(labels: labels, state: "inactive")
            subject.value = element.value
            subject.hold = hold
            subjects[labels] = subject
        }
    }

    /// Alerts in the notifier that fired at `time`, from any source.
    private func posted(_ name: String, at time: Timestamp) -> [Alert] {
        notifications().alerts(silences: [], at: Self.now).map(\.alert)
            .filter { $0.labels["alertname"] == name && $0.startsAt <= time && $0.endsAt > time }
    }

    private func firing(at time: Timestamp) -> [Labels] {
        let stored = (try? elements(of: #"ALERTS{alertstate="firing"}"#, at: time).get()) ?? []
        let held = notifications().alerts(silences: [], at: Self.now).map(\.alert)
            .filter { $0.startsAt <= time && $0.endsAt > time }.map(\.labels)
        return Array(Set(stored.map { $0.labels.dropping([Labels.metricName, "alertstate"]) } + held))
    }

    private static var now: Timestamp { Timestamp(milliseconds: SystemClock.wallMilliseconds()) }

    // MARK: JSON

    private func json(_ group: RuleGroupSnapshot, _ rule: RuleSnapshot, at time: Timestamp) -> JSON {
        var hold = Milliseconds.zero
        if case .alerting(let wanted, _, _, _) = rule.kind { hold = wanted }
        var members: [JSON.Member] = [
            .init("file", .string(group.file)), .init("group", .string(group.name)),
            .init("query", .string(rule.query)), .init("for", .string(hold.description)),
            .init("health", .string(rule.health.rawValue)),
        ]
        if !rule.lastError.isEmpty { members.append(.init("last_error", .string(rule.lastError))) }
        switch elements(of: rule.query, at: time) {
        case .success(let elements): members.append(.init("results", .integer(Int64(elements.count))))
        case .failure(let error): members.append(.init("error", .string(error.description)))
        }
        return .object(members)
    }

    private func json(_ subject: Subject, _ firing: [Labels], at time: Timestamp) -> JSON {
        let explanation = notifications().explanation(
            of: subject.labels, firing: firing, silences: silences().active(at: time), at: time)
        var paths: [JSON] = []
        var deliveries: [JSON] = []
        for path in explanation.paths {
            let made = self.deliveries(of: path, subject, at: time)
            deliveries += made.elements ?? []
            paths.append(json(path, made))
        }
        func text(_ time: Timestamp) -> JSON { .string(RFC3339.text(milliseconds: time.milliseconds)) }
        return [
            "labels": Self.object(subject.labels), "state": .string(subject.state),
            "active_since": subject.activeAt.map(text) ?? .null,
            "value": subject.value.map { .string(FloatText.plain($0)) } ?? .null,
            "inhibited_by": .array(explanation.inhibitedBy.map(Self.object)),
            "silenced_by": .array(
                explanation.silencedBy.map {
                    [
                        "id": .string($0.id), "matchers": .string($0.matcherText), "created_by": .string($0.createdBy),
                        "comment": .string($0.comment), "ends_at": text($0.endsAt),
                    ]
                }),
            "routes": .array(paths),
            "conclusion": .string(Self.conclusion(subject, explanation, deliveries, at: time)),
        ]
    }

    private func json(_ path: AlertExplanation.Path, _ deliveries: JSON) -> JSON {
        [
            "route": .string(path.route), "receiver": .string(path.receiver),
            "integrations": .array(path.integrations.map(JSON.string)), "group_key": .string(path.groupKey),
            "group_labels": Self.object(path.groupLabels), "group_wait": .string(path.groupWait.description),
            "group_interval": .string(path.groupInterval.description),
            "repeat_interval": .string(path.repeatInterval.description),
            "muted_by": .array(path.mutedBy.map(JSON.string)), "held_now": .bool(path.isHeld),
            "due_at": path.dueAt.map { .string(RFC3339.text(milliseconds: $0.milliseconds)) } ?? .null,
            "firing_sent_to": .array(path.sentTo.map(JSON.string)), "deliveries": deliveries,
        ]
    }

    /// Messages about the group that name the alert, oldest first; `null` if the history cannot be read.
    private func deliveries(of path: AlertExplanation.Path, _ subject: Subject, at time: Timestamp) -> JSON {
        var query = LedgerQuery(kinds: [.alert], limit: 1000)
        query.text = path.groupKey
        query.from = min(time - Limit.before, subject.activeAt ?? time).milliseconds
        query.through = (time + Limit.after).milliseconds
        guard let entries = try? events(query) else { return .null }
        let fingerprint = JSON.string(subject.labels.fingerprint)
        let made = entries.filter { entry in
            let body = entry.event.body
            return body["receiver"]?.text == path.receiver && body["group"]?.text == path.groupKey
                && (body["alerts"]?.elements.map { $0.contains(fingerprint) } ?? true)
        }
        return .array(
            made.prefix(Limit.deliveries).reversed().map { entry in
                let body = entry.event.body
                return .object(
                    [.init("time", .string(RFC3339.text(milliseconds: entry.event.milliseconds)))]
                        + ["integration", "state", "attempt", "reason", "error", "answer"].compactMap { name in
                            body[name].map { .init(name, $0) }
                        })
            })
    }

    private static func object(_ labels: Labels) -> JSON {
        .object(labels.pairs.map { .init($0.name, .string($0.value)) })
    }

    // MARK: Conclusion

    /// A sentence: why notifications were sent or not.
    private static func conclusion(
        _ subject: Subject, _ explanation: AlertExplanation, _ deliveries: [JSON], at time: Timestamp
    ) -> String {
        func text(_ time: Timestamp) -> String { RFC3339.text(milliseconds: time.milliseconds) }
        switch subject.state {
        case "inactive": return "The rule was not active; it had not been evaluated with this result."
        case "pending":
            let until = subject.activeAt.flatMap { since in subject.hold.map { text(since + $0) } }
            return "The alert was pending" + (until.map { ": it fires at \($0) if the condition holds" } ?? "") + "."
        default: break
        }
        if let other = explanation.inhibitedBy.first { return "Inhibited by \(other)." }
        let muted = explanation.paths.flatMap(\.mutedBy)
        if !muted.isEmpty, explanation.paths.allSatisfy({ !$0.mutedBy.isEmpty }) {
            return "Every route was muted, by \(muted.joined(separator: ", "))."
        }
        if let silence = explanation.silencedBy.first {
            return "Silenced by \(silence.createdBy) until \(text(silence.endsAt)): \(silence.comment)"
        }
        if explanation.paths.allSatisfy(\.integrations.isEmpty) { return "The receivers have no integrations." }
        let accepted = deliveries.filter { $0["state"] == "delivered" }
        if let first = accepted.first {
            let (integration, time) = (first["integration"]?.text ?? "", first["time"]?.text ?? "")
            return "A receiver accepted a message, first \(integration) at \(time)."
        }
        if let last = deliveries.last {
            return "No receiver accepted a message; the last failure: \(last["error"]?.text ?? "")"
        }
        if let due = explanation.paths.compactMap(\.dueAt).min(), due > time {
            return "No message was sent yet; the group is due at \(text(due))."
        }
        return "The history has no message about this alert."
    }
}

extension RuleSnapshot {
    fileprivate var isAlerting: Bool { if case .alerting = kind { true } else { false } }
}
