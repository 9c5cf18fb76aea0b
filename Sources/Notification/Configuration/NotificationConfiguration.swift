public import MetricModel
internal import Runtime
public import YAML

/// A stock `alertmanager.yml`: the routing tree, the receivers and who keeps whom quiet.
public struct NotificationConfiguration: Equatable, Sendable {
    /// The root of the routing tree.
    public var route: Route
    /// Receivers by name.
    public var receivers: [String: Receiver]
    /// Who keeps whom quiet.
    public var inhibitRules: [InhibitRule]
    /// Times in which routes are muted or active, by name.
    public var timeIntervals: [String: [TimeInterval]]
    /// How long an alert that is not heard of again counts as firing.
    public var resolveTimeout: Milliseconds
    /// The file as it may be shown, secrets as `<secret>`.
    public var shownText: String

    /// A configuration that tells nobody.
    public static let silent = NotificationConfiguration(
        route: Route(
            matchers: [], receiver: "none", grouping: .labels([]), groupWait: .seconds(30), groupInterval: .minutes(5),
            repeatInterval: .hours(4), continues: false, muteTimeIntervals: [], activeTimeIntervals: [], routes: [],
            key: "{}", id: "{}"),
        receivers: ["none": Receiver(name: "none", integrations: [])])

    /// Reads the file at `path`.
    public static func load(_ path: String) throws(YAMLError) -> NotificationConfiguration {
        let bytes: [UInt8]
        do {
            bytes = try FileText.bytes(path, limit: 16 << 20)
        } catch {
            throw YAMLError(file: path, line: 0, column: 0, field: "", message: error.reason)
        }
        let documents = try YAML.parse(bytes, file: path)
        guard documents.count == 1 else {
            throw YAMLError(
                file: path, line: 0, column: 0, field: "", message: "expected one document, found \(documents.count)")
        }
        return try NotificationConfiguration(documents[0], file: path)
    }

    private init(route: Route, receivers: [String: Receiver]) {
        self.route = route
        self.receivers = receivers
        inhibitRules = []
        timeIntervals = [:]
        resolveTimeout = .minutes(5)
        shownText = "route:\n  receiver: \(route.receiver)\nreceivers:\n- name: \(route.receiver)\n"
    }

    /// Reads a parsed file; `file` is named in errors and is what relative paths start from.
    public init(_ node: YAMLNode, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: "", file: file)
        let global = try GlobalSettings(fields.optional("global"), file: file)
        var receivers: [String: Receiver] = [:]
        for (index, element) in try fields.list("receivers").enumerated() {
            var reader = ReceiverReader(global: global, file: file)
            let receiver = try reader.receiver(element, path: "receivers[\(index)]")
            guard receivers.updateValue(receiver, forKey: receiver.name) == nil else {
                throw fields.fault("the receiver \"\(receiver.name)\" stands twice", at: element, field: "receivers")
            }
        }
        let root = try fields.required("route")
        let defaults = Route(
            matchers: [], receiver: "", grouping: .labels([]), groupWait: .seconds(30), groupInterval: .minutes(5),
            repeatInterval: .hours(4), continues: false, muteTimeIntervals: [], activeTimeIntervals: [], routes: [],
            key: "", id: "")
        var timeIntervals: [String: [TimeInterval]] = [:]
        // The first is what the second was called before.
        for list in ["mute_time_intervals", "time_intervals"] {
            for (index, element) in try fields.list(list).enumerated() {
                let (name, intervals) = try TimeIntervalReader(file: file).named(element, path: "\(list)[\(index)]")
                guard timeIntervals.updateValue(intervals, forKey: name) == nil else {
                    throw fields.fault("the time interval \"\(name)\" stands twice", at: element, field: list)
                }
            }
        }
        route = try RouteReader(file: file, receivers: receivers, timeIntervals: timeIntervals)
            .root(root, defaults: defaults)
        inhibitRules = []
        for (index, element) in try fields.list("inhibit_rules").enumerated() {
            inhibitRules.append(try Self.inhibitRule(element, path: "inhibit_rules[\(index)]", file: file))
        }
        _ = try fields.textList("templates")
        try fields.finish()
        self.receivers = receivers
        self.timeIntervals = timeIntervals
        self.resolveTimeout = global.resolveTimeout
        shownText = SecretMask.masked(node).blockText
    }

    /// Why nothing is sent on `route` at `now`; `nil` where it is.
    ///
    /// A route is quiet outside of its active times, if it has any, and within its mute times.
    public func suppression(of route: Route, at now: Timestamp) -> Suppression? {
        func isWithin(_ names: [String]) -> Bool {
            names.contains { name in timeIntervals[name]?.contains { $0.contains(now) } ?? false }
        }
        if !route.activeTimeIntervals.isEmpty, !isWithin(route.activeTimeIntervals) { return .activeTimeInterval }
        return isWithin(route.muteTimeIntervals) ? .muteTimeInterval : nil
    }

    private static func inhibitRule(_ node: YAMLNode, path: String, file: String) throws(YAMLError) -> InhibitRule {
        var fields = try FieldReader(node, path: path, file: file)
        let rule = InhibitRule(
            source: try fields.labelMatchers("source_matchers", legacy: "source_match"),
            target: try fields.labelMatchers("target_matchers", legacy: "target_match"),
            equal: try fields.textList("equal"))
        try fields.finish()
        return rule
    }
}

/// The `global` section, as far as it is used here.
struct GlobalSettings {
    var resolveTimeout = Milliseconds.minutes(5)
    var pagerDutyURL = "https://events.pagerduty.com/v2/enqueue"

    init(_ node: YAMLNode?, file: String) throws(YAMLError) {
        guard let node else { return }
        var fields = try FieldReader(node, path: "global", file: file)
        resolveTimeout = try fields.optionalDuration("resolve_timeout") ?? resolveTimeout
        pagerDutyURL = try fields.optionalText("pagerduty_url") ?? pagerDutyURL
        // Settings of integrations that no receiver here can use are read past, so that stock files load.
        for name in fields.names where name.hasPrefix("smtp_") || Self.otherIntegrations.contains(name) {
            _ = fields.optional(name)
        }
        try fields.finish()
    }

    private static let otherIntegrations: Set<String> = [
        "slack_api_url", "slack_api_url_file", "victorops_api_key", "victorops_api_url", "opsgenie_api_key",
        "opsgenie_api_key_file", "opsgenie_api_url", "wechat_api_url", "wechat_api_secret", "wechat_api_corp_id",
        "telegram_api_url", "webex_api_url",
    ]
}

extension FieldReader {
    /// A duration such as `5m`.
    mutating func optionalDuration(_ name: String) throws(YAMLError) -> Milliseconds? {
        guard let text = try optionalText(name) else { return nil }
        guard let duration = Milliseconds(parsing: text) else {
            throw fault("not a duration: \"\(text)\"", at: optional(name), field: name)
        }
        return duration
    }

    /// The matchers of `name`, with those of the older forms `legacy` and `legacy_re`.
    mutating func labelMatchers(_ name: String, legacy: String) throws(YAMLError) -> [LabelMatcher] {
        var matchers: [LabelMatcher] = []
        for (index, element) in try list(name).enumerated() {
            let path = "\(name)[\(index)]"
            guard let text = element.text else {
                throw fault("expected text, got \(element.kind)", at: element, field: path)
            }
            do throws(LabelMatcherError) {
                matchers.append(try LabelMatcher(parsing: text))
            } catch {
                throw fault(error.reason, at: element, field: path)
            }
        }
        for (field, operation) in [(legacy, Matcher.Operation.equal), ("\(legacy)_re", .regex)] {
            for pair in try textMapping(field) {
                do throws(LabelMatcherError) {
                    matchers.append(try LabelMatcher(Matcher(pair.name, operation, pair.value)))
                } catch {
                    throw fault(error.reason, at: pair.node, field: "\(field).\(pair.name)")
                }
            }
        }
        return matchers
    }
}
