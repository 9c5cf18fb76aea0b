internal import JSON
internal import MetricModel
internal import RuleModel
internal import TLS
internal import WebCore

extension PrometheusAPI {
    /// `/api/v1/rules`
    func rules(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let filter = try RuleFilter(call)
        let groups = sources.ruleGroups().sorted {
            ByteOrder.equal($0.file, $1.file)
                ? ByteOrder.precedes($0.name, $1.name) : ByteOrder.precedes($0.file, $1.file)
        }
        let page = try filter.page(of: groups)
        writer.object { writer in
            writer.name("groups")
            writer.array(page.groups) { write($1, alerts: !filter.excludesAlerts, into: &$0) }
            if let token = page.nextToken { writer.member("groupNextToken", token) }
        }
        return APIResult()
    }

    /// `/api/v1/alerts`
    func alerts(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let alerts = sources.ruleGroups().flatMap(\.rules).flatMap(\.activeAlerts)
        writer.object { writer in
            writer.name("alerts")
            writer.array(alerts) { Self.write($1, into: &$0) }
        }
        return APIResult()
    }

    /// `/api/v1/alertmanagers`
    func alertmanagers(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        writer.object { writer in
            writer.name("activeAlertmanagers")
            writer.array(sources.alertmanagers()) { writer, url in writer.object { $0.member("url", url) } }
            writer.name("droppedAlertmanagers")
            writer.array([String]()) { $0.string($1) }
        }
        return APIResult()
    }

    private func write(_ group: RuleGroupSnapshot, alerts: Bool, into writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("name", group.name)
            writer.member("file", group.file)
            writer.name("rules")
            writer.array(group.rules) { Self.write($1, alerts: alerts, into: &$0) }
            writer.member("interval", group.interval.seconds)
            writer.member("limit", group.limit)
            writer.member("evaluationTime", group.evaluationSeconds)
            writer.member("lastEvaluation", group.lastEvaluation)
        }
    }

    private static func write(_ rule: RuleSnapshot, alerts: Bool, into writer: inout JSONWriter) {
        writer.object { writer in
            if let state = state(of: rule) { writer.member("state", state) }
            writer.member("name", rule.name)
            writer.member("query", rule.query)
            switch rule.kind {
            case .recording: writer.member("labels", rule.labels)
            case .alerting(let hold, let keepFiring, let annotations, let active):
                writer.member("duration", hold.seconds)
                writer.member("keepFiringFor", keepFiring.seconds)
                writer.member("labels", rule.labels)
                writer.member("annotations", annotations)
                writer.name("alerts")
                if alerts { writer.array(active) { write($1, into: &$0) } } else { writer.null() }
            case .rollback(let trip, let severity, let mode, let streak, let annotations, let active):
                writer.member("duration", 0)
                writer.member("keepFiringFor", 0)
                writer.member("labels", rule.labels.setting("severity", to: severity))
                writer.member("annotations", annotations)
                writer.name("alerts")
                if alerts { writer.array(active) { write($1, into: &$0) } } else { writer.null() }
                writer.name("rollback")
                writer.object {
                    $0.member("trip", trip)
                    $0.member("severity", severity)
                    $0.member("mode", mode)
                    $0.member("streak", streak)
                    $0.member("tripped", !active.isEmpty)
                }
            }
            writer.member("health", rule.health.rawValue)
            if !rule.lastError.isEmpty { writer.member("lastError", rule.lastError) }
            writer.member("evaluationTime", rule.evaluationSeconds)
            writer.member("lastEvaluation", rule.lastEvaluation)
            writer.member("type", isRecording(rule) ? "recording" : "alerting")
        }
    }

    static func write(_ alert: ActiveAlertSnapshot, into writer: inout JSONWriter) {
        writer.object {
            $0.member("labels", alert.labels)
            $0.member("annotations", alert.annotations)
            $0.member("state", alert.state.rawValue)
            $0.member("activeAt", alert.activeAt)
            if let since = alert.keepFiringSince { $0.member("keepFiringSince", since) }
            $0.member("value", FloatText.exponential(alert.value))
        }
    }

    static func isRecording(_ rule: RuleSnapshot) -> Bool {
        if case .recording = rule.kind { true } else { false }
    }

    /// The state of an alerting or rollback rule: the state of its worst alert.
    static func state(of rule: RuleSnapshot) -> String? {
        switch rule.kind {
        case .recording: nil
        case _ where rule.lastEvaluation == nil: "unknown"
        case .alerting(_, _, _, let alerts):
            alerts.contains { $0.state == .firing } ? "firing" : alerts.isEmpty ? "inactive" : "pending"
        case .rollback(_, _, _, let streak, _, let active):
            !active.isEmpty ? "firing" : streak > 0 ? "pending" : "inactive"
        }
    }
}

/// The rules requested from `/api/v1/rules`.
private struct RuleFilter {
    var excludesAlerts: Bool
    private let showsAlerting: Bool
    private let showsRecording: Bool
    private let ruleNames: Set<String>
    private let groupNames: Set<String>
    private let files: Set<String>
    private let conditions: [[LabelCondition]]
    private var groupLimit: Int?
    private let token: String

    init(_ call: APIRequest) throws(APIError) {
        let type = call.urlParameter("type").lowercased()
        guard ["", "alert", "record"].contains(type) else {
            throw .invalid("type", "not supported value \(MetricText.quoted(type))")
        }
        showsAlerting = type != "record"
        showsRecording = type != "alert"
        let excludes = call.urlParameter("exclude_alerts")
        switch excludes {
        case "", "0", "f", "F", "false", "FALSE", "False": excludesAlerts = false
        case "1", "t", "T", "true", "TRUE", "True": excludesAlerts = true
        default:
            throw .invalid(
                "exclude_alerts",
                "error converting exclude_alerts: strconv.ParseBool: parsing \(MetricText.quoted(excludes)): "
                    + "invalid syntax")
        }
        ruleNames = Set(call.all("rule_name[]"))
        groupNames = Set(call.all("rule_group[]"))
        files = Set(call.all("file[]"))
        var conditions: [[LabelCondition]] = []
        for selector in call.all("match[]") { conditions.append(try Selector.conditions(selector)) }
        self.conditions = conditions
        token = call.urlParameter("group_next_token")
        let limit = call.urlParameter("group_limit")
        if limit.isEmpty {
            guard token.isEmpty else {
                throw .invalid(
                    "group_next_token", "group_limit needs to be present in order to paginate over the groups")
            }
            return
        }
        guard let number = Int32(limit) else {
            throw .invalid(
                "group_limit",
                "group_limit needs to be a valid number: strconv.ParseInt: parsing \(MetricText.quoted(limit)): "
                    + "invalid syntax")
        }
        guard number > 0 else { throw .invalid("group_limit", "group_limit needs to be greater than 0") }
        groupLimit = Int(number)
    }

    /// The groups of the requested page, filtered, and the token of the next page.
    func page(of groups: [RuleGroupSnapshot]) throws(APIError) -> (groups: [RuleGroupSnapshot], nextToken: String?) {
        var rest = groups[...]
        if groupLimit != nil, !token.isEmpty {
            rest = groups.drop { Self.token(of: $0) != token }
            guard !rest.isEmpty else {
                throw .invalid("group_next_token", "invalid group_next_token '\(token)'. were rule groups changed?")
            }
        }
        let shown = rest.compactMap(filtered)
        guard let groupLimit, shown.count > groupLimit else { return (shown, nil) }
        return (Array(shown.prefix(groupLimit)), Self.token(of: shown[groupLimit]))
    }

    private func filtered(_ group: RuleGroupSnapshot) -> RuleGroupSnapshot? {
        guard groupNames.isEmpty || groupNames.contains(group.name), files.isEmpty || files.contains(group.file) else {
            return nil
        }
        var shown = group
        shown.rules = group.rules.filter { rule in
            (PrometheusAPI.isRecording(rule) ? showsRecording : showsAlerting)
                && (ruleNames.isEmpty || ruleNames.contains(rule.name))
                && (conditions.isEmpty
                    || conditions.contains { $0.allSatisfy { $0.holds(for: rule.labels) } })
        }
        return shown.rules.isEmpty ? nil : shown
    }

    private static func token(of group: RuleGroupSnapshot) -> String {
        SHA256.hex("\(group.file);\(group.name)")
    }
}
