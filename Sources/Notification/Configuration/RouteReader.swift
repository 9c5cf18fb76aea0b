internal import MetricModel
internal import YAML

/// Reads the routing tree. A route inherits what it does not say from the one above.
struct RouteReader {
    let file: String
    let receivers: [String: Receiver]
    let timeIntervals: [String: [TimeInterval]]

    /// Reads the root, which must name a receiver and may not have matchers.
    func root(_ node: YAMLNode, defaults: Route) throws(YAMLError) -> Route {
        let route = try self.route(node, path: "route", above: defaults)
        func fault(_ message: String) -> YAMLError {
            YAMLError(file: file, line: node.line, column: node.column, field: "route", message: message)
        }
        guard route.matchers.isEmpty else { throw fault("the root route must not have any matchers") }
        guard !route.receiver.isEmpty else { throw fault("the root route must name a receiver") }
        guard !route.continues else { throw fault("the root route cannot have \"continue\"") }
        guard route.muteTimeIntervals.isEmpty, route.activeTimeIntervals.isEmpty else {
            throw fault("the root route must not have any time intervals")
        }
        var known: [String: Int] = [:]
        return route.identified(&known)
    }

    private func route(_ node: YAMLNode, path: String, above: Route) throws(YAMLError) -> Route {
        var fields = try FieldReader(node, path: path, file: file)
        var route = above
        route.matchers = try fields.labelMatchers("matchers", legacy: "match")
        let own = "{" + route.matchers.map(\.matcher.description).sorted().joined(separator: ",") + "}"
        route.key = above.key.isEmpty ? own : "\(above.key)/\(own)"
        if let name = try fields.optionalText("receiver") {
            guard receivers[name] != nil else {
                throw fields.fault(
                    "no receiver is called \"\(name)\"", at: fields.optional("receiver"), field: "receiver")
            }
            route.receiver = name
        }
        if fields.optional("group_by") != nil {
            let names = try fields.textList("group_by")
            guard Set(names).count == names.count else {
                throw fields.fault("a label stands twice", at: fields.optional("group_by"), field: "group_by")
            }
            guard !names.contains("...") || names.count == 1 else {
                throw fields.fault(
                    "\"...\" means every label and stands alone", at: fields.optional("group_by"), field: "group_by")
            }
            route.grouping = names == ["..."] ? .all : .labels(names)
        }
        route.groupWait = try fields.optionalDuration("group_wait") ?? above.groupWait
        route.groupInterval = try positive(&fields, "group_interval") ?? above.groupInterval
        route.repeatInterval = try positive(&fields, "repeat_interval") ?? above.repeatInterval
        route.continues = try fields.optionalFlag("continue") ?? false
        // Not inherited: what lies below a muted route is not muted by it.
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

    private func intervals(_ fields: inout FieldReader, _ name: String) throws(YAMLError) -> [String] {
        let names = try fields.textList(name)
        for (index, interval) in names.enumerated() where timeIntervals[interval] == nil {
            throw fields.fault(
                "no time interval is called \"\(interval)\"", at: fields.optional(name)?.elements?[index],
                field: "\(name)[\(index)]")
        }
        return names
    }

    private func positive(_ fields: inout FieldReader, _ name: String) throws(YAMLError) -> Milliseconds? {
        let duration = try fields.optionalDuration(name)
        if duration == .zero { throw fields.fault("must be greater than zero", at: fields.optional(name), field: name) }
        return duration
    }
}
