internal import ConfigurationFields
internal import GoTemplate
public import MetricModel
public import Receivers
internal import Runtime
public import YAML

/// The content of a stock `alertmanager.yml`: the routing tree, receivers, inhibition and templates.
public struct NotificationConfiguration: Equatable, Sendable {
    /// The root of the routing tree.
    public var route: NotificationRoute
    /// Receivers by name.
    public var receivers: [String: Receiver]
    /// The inhibition rules.
    public var inhibitRules: [InhibitRule]
    /// Time intervals in which routes are muted or active, by name.
    public var timeIntervals: [String: [TimeInterval]]
    /// How long an alert counts as firing after it was last received.
    public var resolveTimeout: Milliseconds
    /// Routes to the receivers that plans name.
    var planRoutes: [PlanRoute] = []
    /// The template files.
    public var templateFiles: [NotificationTemplates.File]
    /// The default templates with those of the files.
    public var templates: NotificationTemplates
    /// Warnings, such as a template of a receiver that cannot be parsed.
    public var warnings: [String]
    /// The file for display, with `<secret>` in place of secrets.
    public var shownText: String

    /// A configuration without notifications.
    public static let silent = NotificationConfiguration(
        route: NotificationRoute(
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
        guard let document = try YAML.document(bytes, file: path) else {
            throw YAMLError(file: path, line: 0, column: 0, field: "", message: "the file is empty")
        }
        return try NotificationConfiguration(document, file: path)
    }

    private init(route: NotificationRoute, receivers: [String: Receiver]) {
        self.route = route
        self.receivers = receivers
        inhibitRules = []
        timeIntervals = [:]
        resolveTimeout = .minutes(5)
        templateFiles = []
        templates = .defaults
        warnings = []
        shownText = "route:\n  receiver: \(route.receiver)\nreceivers:\n- name: \(route.receiver)\n"
    }

    /// Reads a parsed file. `file` is used in errors, and relative paths start from its directory.
    public init(_ node: YAMLNode, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: "", file: file)
        let directory = Paths.directory(of: file)
        let global = try GlobalSettings(fields.optional("global"), file: file, directory: directory)
        receivers = try Self.receivers(&fields, global, directory)
        timeIntervals = try Self.timeIntervals(&fields)
        guard let root = fields.optional("route") else { throw fields.fault("no routes provided") }
        route = try NotificationRouteReader(file: file, receivers: receivers, timeIntervals: timeIntervals).root(root)
        inhibitRules = []
        for (index, element) in try fields.list("inhibit_rules").enumerated() {
            inhibitRules.append(try Self.inhibitRule(element, path: "inhibit_rules[\(index)]", file: file))
        }
        var missing: [String] = []
        (templateFiles, templates) = try Self.templates(&fields, directory, &missing)
        warnings = missing + Self.templateWarnings(node["receivers"], templates, file)
        if let node = fields.optional("tracing") {
            warnings.append("\(file):\(node.line): tracing is not supported and has no effect")
        }
        try fields.finish()
        resolveTimeout = global.resolveTimeout
        shownText = SecretMask.masked(node, hiding: ["url", "api_url", "webhook_url"]).blockText
    }

    /// Compares the configurations; templates are compared by their files.
    public static func == (left: NotificationConfiguration, right: NotificationConfiguration) -> Bool {
        left.route == right.route && left.planRoutes == right.planRoutes && left.receivers == right.receivers
            && left.inhibitRules == right.inhibitRules
            && left.timeIntervals == right.timeIntervals && left.resolveTimeout == right.resolveTimeout
            && left.templateFiles == right.templateFiles && left.shownText == right.shownText
    }

    // MARK: Sections

    private static func receivers(
        _ fields: inout FieldReader, _ global: GlobalSettings, _ directory: String
    ) throws(YAMLError) -> [String: Receiver] {
        let reader = ReceiverReader(global: global, file: fields.file, directory: directory)
        var receivers: [String: Receiver] = [:]
        for (index, element) in try fields.list("receivers").enumerated() {
            let receiver = try reader.receiver(element, path: "receivers[\(index)]")
            guard receivers.updateValue(receiver, forKey: receiver.name) == nil else {
                throw fields.fault(
                    "notification config name \"\(receiver.name)\" is not unique", at: element, field: "receivers")
            }
        }
        return receivers
    }

    private static func timeIntervals(_ fields: inout FieldReader) throws(YAMLError) -> [String: [TimeInterval]] {
        var timeIntervals: [String: [TimeInterval]] = [:]
        // The first is the former name of the second.
        for list in ["mute_time_intervals", "time_intervals"] {
            for (index, element) in try fields.list(list).enumerated() {
                let reader = TimeIntervalReader(file: fields.file)
                let (name, intervals) = try reader.named(element, path: "\(list)[\(index)]")
                guard timeIntervals.updateValue(intervals, forKey: name) == nil else {
                    let what = list == "time_intervals" ? "time interval" : "mute time interval"
                    throw fields.fault("\(what) \"\(name)\" is not unique", at: element, field: list)
                }
            }
        }
        return timeIntervals
    }

    private static func inhibitRule(_ node: YAMLNode, path: String, file: String) throws(YAMLError) -> InhibitRule {
        var fields = try FieldReader(node, path: path, file: file)
        _ = try fields.optionalText("name")
        let rule = InhibitRule(
            source: try fields.labelMatchers("source_matchers", legacy: "source_match").map(\.matcher),
            target: try fields.labelMatchers("target_matchers", legacy: "target_match").map(\.matcher),
            equal: try fields.textList("equal"))
        for name in rule.equal where !LabelName.isValid(name) {
            throw fields.fault("invalid label name \"\(name)\" in equal list", at: fields.node["equal"], field: "equal")
        }
        try fields.finish()
        return rule
    }

    private static func templates(
        _ fields: inout FieldReader, _ directory: String, _ missing: inout [String]
    ) throws(YAMLError) -> ([NotificationTemplates.File], NotificationTemplates) {
        var files: [NotificationTemplates.File] = []
        var paths: [String: String] = [:]
        for (index, pattern) in try fields.textList("templates").enumerated() {
            let place = fields.node["templates"]?.elements?[index]
            let field = "templates[\(index)]"
            let pattern = Paths.resolve(pattern, from: directory)
            // As in Alertmanager, a file may be created later. A pattern often has no matches; a missing file is odd.
            if Paths.matching(pattern) == [pattern], !Paths.exists(pattern) {
                missing.append("\(fields.plainFault("no file is called \"\(pattern)\"", at: place, field: field))")
            }
            for path in Paths.existing(pattern).sorted() {
                let name = String(path.split(separator: "/").last ?? "")
                do throws(FileText.ReadError) {
                    let bytes = try FileText.bytes(path, limit: 4 << 20)
                    files.append(.init(name: name, text: String(decoding: bytes, as: UTF8.self)))
                } catch {
                    throw fields.fault("\(error)", at: place, field: field)
                }
                paths[name] = path
            }
        }
        guard !files.isEmpty else { return ([], .defaults) }
        do throws(TemplateError) {
            return (files, try NotificationTemplates(files))
        } catch {
            let (name, line) = Self.place(of: error)
            throw YAMLError(
                file: name.flatMap { paths[$0] } ?? fields.file, line: line, column: 1, field: "",
                message: error.message)
        }
    }

    /// The file and line in `template: my.tmpl:3: …`.
    private static func place(of error: TemplateError) -> (name: String?, line: Int) {
        let parts = error.message.split(separator: ":", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count >= 3, parts[0] == "template" else { return (nil, 0) }
        return (String(parts[1].drop { $0 == " " }), Int(parts[2]) ?? 0)
    }

    /// Errors of the templates in receivers' fields. Alertmanager accepts them and fails when it sends.
    private static func templateWarnings(
        _ node: YAMLNode?, _ templates: NotificationTemplates, _ file: String
    ) -> [String] {
        guard let node else { return [] }
        switch node.content {
        case .scalar(let text, _):
            guard text.contains("{{") else { return [] }
            do throws(TemplateError) {
                let missing = try templates.template(text).missingTemplates
                return missing.map { "\(file):\(node.line):\(node.column): template \"\($0)\" not defined" }
            } catch {
                return ["\(file):\(node.line):\(node.column): \(error.message)"]
            }
        case .sequence(let elements): return elements.flatMap { templateWarnings($0, templates, file) }
        case .mapping(let members): return members.flatMap { templateWarnings($0.value, templates, file) }
        }
    }

    /// Why no notification is sent for `route` at `now`; `nil` if notifications are sent.
    ///
    /// A route is muted outside its active time intervals, if it has any, and inside its mute time intervals.
    public func suppression(of route: NotificationRoute, at now: Timestamp) -> Suppression? {
        func isWithin(_ names: [String]) -> Bool {
            names.contains { name in timeIntervals[name]?.contains { $0.contains(now) } ?? false }
        }
        if !route.activeTimeIntervals.isEmpty, !isWithin(route.activeTimeIntervals) { return .activeTimeInterval }
        return isWithin(route.muteTimeIntervals) ? .muteTimeInterval : nil
    }
}

/// Label names in routes and rules.
enum LabelName {
    /// Letters, digits and underscores. Non-ASCII characters are also allowed, except as the first.
    static func isValid(_ name: String) -> Bool {
        guard let first = name.unicodeScalars.first else { return false }
        return !first.isASCII || first == "_" || first.properties.isAlphabetic
    }
}

extension FieldReader {
    /// A matcher of a configuration, with its text in group keys.
    struct ShownMatcher {
        var matcher: LabelMatcher
        var shown: Matcher
    }

    /// The matchers of `name`, including the older forms `legacy` and `legacy_re`.
    mutating func labelMatchers(_ name: String, legacy: String) throws(YAMLError) -> [ShownMatcher] {
        var matchers: [ShownMatcher] = []
        for (index, element) in try list(name).enumerated() {
            let path = "\(name)[\(index)]"
            guard let text = element.text else {
                throw fault("expected text, got \(element.kind)", at: element, field: path)
            }
            do throws(LabelMatcherError) {
                matchers += try LabelMatcher.list(parsing: text).map { ShownMatcher(matcher: $0, shown: $0.matcher) }
            } catch {
                throw fault(error.reason, at: element, field: path)
            }
        }
        for (field, operation) in [(legacy, Matcher.Operation.equal), ("\(legacy)_re", .regex)] {
            for pair in try textMapping(field) {
                guard MetricText.isLegacyLabelName(pair.name) else {
                    throw fault("invalid label name \"\(pair.name)\"", at: pair.node, field: field)
                }
                do throws(LabelMatcherError) {
                    // Alertmanager shows these patterns in their compiled form.
                    let shown = operation == .regex ? "^(?:\(pair.value))$" : pair.value
                    matchers.append(
                        ShownMatcher(
                            matcher: try LabelMatcher(Matcher(pair.name, operation, pair.value)),
                            shown: Matcher(pair.name, operation, shown)))
                } catch {
                    throw fault(error.reason, at: pair.node, field: "\(field).\(pair.name)")
                }
            }
        }
        return matchers
    }
}
