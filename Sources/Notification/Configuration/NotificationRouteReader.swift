internal import ConfigurationFields
internal import MetricModel
internal import Receivers
internal import YAML

/// Reads the routing tree. A route inherits missing settings from its parent.
struct NotificationRouteReader {
    let file: String
    let receivers: [String: Receiver]
    let timeIntervals: [String: [TimeInterval]]

    private static let defaults = NotificationRoute(
        matchers: [], receiver: "", grouping: .labels([]), groupWait: .seconds(30), groupInterval: .minutes(5),
        repeatInterval: .hours(4), continues: false, muteTimeIntervals: [], activeTimeIntervals: [], routes: [],
        key: "", id: "")

    /// Reads the root route, which must name a receiver and must not have matchers.
    func root(_ node: YAMLNode) throws(YAMLError) -> NotificationRoute {
        func fault(_ message: String) -> YAMLError {
            YAMLError(file: file, line: node.line, column: node.column, field: "route", message: message)
        }
        try checkGrouping(node, path: "route")
        if node["receiver"]?.text?.isEmpty != false { throw fault("root route must specify a default receiver") }
        let route = try self.route(node, path: "route", above: Self.defaults)
        guard route.matchers.isEmpty else { throw fault("root route must not have any matchers") }
        guard !route.continues else { throw fault("cannot have continue in root route") }
        guard route.muteTimeIntervals.isEmpty else { throw fault("root route must not have any mute time intervals") }
        guard route.activeTimeIntervals.isEmpty else {
            throw fault("root route must not have any active time intervals")
        }
        var known: [String: Int] = [:]
        return route.identified(&known)
    }

    /// Alertmanager reads all `group_by` of the tree before it checks receivers.
    private func checkGrouping(_ node: YAMLNode, path: String) throws(YAMLError) {
        guard node.members != nil else { return }
        var fields = try FieldReader(node, path: path, file: file)
        if fields.optional("group_by") != nil { _ = try Self.grouping(&fields) }
        for (index, element) in (node["routes"]?.elements ?? []).enumerated() {
            try checkGrouping(element, path: "\(path).routes[\(index)]")
        }
    }

    private func route(_ node: YAMLNode, path: String, above: NotificationRoute) throws(YAMLError) -> NotificationRoute
    {
        var fields = try FieldReader(node, path: path, file: file)
        var route = above
        let matchers = try fields.labelMatchers("matchers", legacy: "match")
        route.matchers = matchers.map(\.matcher)
        let shown = matchers.map(\.shown).sorted { left, right in
            if left.name != right.name { return ByteOrder.precedes(left.name, right.name) }
            return left.value == right.value
                ? left.operation.rawValue < right.operation.rawValue : ByteOrder.precedes(left.value, right.value)
        }
        let own = "{" + shown.map(\.description).joined(separator: ",") + "}"
        route.key = above.key.isEmpty ? own : "\(above.key)/\(own)"
        if let name = try fields.optionalText("receiver"), !name.isEmpty {
            guard receivers[name] != nil else {
                throw fields.fault(
                    "undefined receiver \"\(name)\" used in route", at: fields.optional("receiver"), field: "receiver")
            }
            route.receiver = name
        }
        if fields.optional("group_by") != nil { route.grouping = try Self.grouping(&fields) }
        for pair in try fields.textMapping("labels") { route.labels.set(pair.name, to: pair.value) }
        route.groupWait = try fields.optionalDuration("group_wait") ?? above.groupWait
        route.groupInterval = try positive(&fields, "group_interval") ?? above.groupInterval
        route.repeatInterval = try positive(&fields, "repeat_interval") ?? above.repeatInterval
        route.continues = try fields.optionalFlag("continue") ?? false
        // Not inherited: the children of a muted route are not muted by it.
        route.muteTimeIntervals = try intervals(&fields, "mute_time_intervals")
        route.activeTimeIntervals = try intervals(&fields, "active_time_intervals")
        route.routes = []
        let inherited = route
        for (index, element) in try fields.list("routes").enumerated() {
            route.routes.append(try self.route(element, path: "\(path).routes[\(index)]", above: inherited))
        }
        try fields.finish()
        return route
    }

    private static func grouping(_ fields: inout FieldReader) throws(YAMLError) -> NotificationRoute.Grouping {
        let names = try fields.textList("group_by")
        func fault(_ message: String) -> YAMLError {
            fields.fault(message, at: fields.node["group_by"], field: "group_by")
        }
        for name in names where name != "..." && !LabelName.isValid(name) {
            throw fault("invalid label name \"\(name)\" in group_by list")
        }
        guard !names.contains("...") || names.allSatisfy({ $0 == "..." }) else {
            throw fault("cannot have wildcard group_by (`...`) and other labels at the same time")
        }
        var seen: Set<String> = []
        for name in names where name != "..." && !seen.insert(name).inserted {
            throw fault("duplicated label \"\(name)\" in group_by")
        }
        return names.contains("...") ? .all : .labels(names)
    }

    private func intervals(_ fields: inout FieldReader, _ name: String) throws(YAMLError) -> [String] {
        let names = try fields.textList(name)
        for (index, interval) in names.enumerated() where timeIntervals[interval] == nil {
            throw fields.fault(
                "undefined time interval \"\(interval)\" used in route", at: fields.optional(name)?.elements?[index],
                field: "\(name)[\(index)]")
        }
        return names
    }

    private func positive(_ fields: inout FieldReader, _ name: String) throws(YAMLError) -> Milliseconds? {
        let duration = try fields.optionalDuration(name)
        if duration == .zero { throw fields.fault("\(name) cannot be zero", at: fields.optional(name), field: name) }
        return duration
    }
}
