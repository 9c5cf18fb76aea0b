internal import MetricModel
internal import RuleModel
public import YAML

extension RolloutPlan {
    private static let serviceLimit = 64
    private static let routeLimit = 8

    /// Reads a plan from the text of a file.
    ///
    /// - Parameters:
    ///   - file: the name of the file, for errors.
    ///   - clusterServer: URL of the API server of the cluster that this process runs in, used by Kubernetes routes
    ///     without a server; `nil` outside of a cluster.
    public init(parsing text: String, file: String, clusterServer: String? = nil) throws(YAMLError) {
        guard let document = try YAML.document(text, file: file) else {
            throw YAMLError(file: file, line: 1, column: 1, field: "", message: "the file is empty")
        }
        try self.init(document, file: file, clusterServer: clusterServer)
    }

    private init(_ document: YAMLNode, file: String, clusterServer: String?) throws(YAMLError) {
        var fields = try FieldReader(document, path: "", file: file)
        name = try fields.name("plan")
        start = try fields.optional("start").map { node throws(YAMLError) in
            try RolloutStart(node, path: "start", file: file)
        }
        settle = try fields.duration("settle") ?? .seconds(120)
        successRatio = try fields.ratio("success_ratio") ?? 0.8
        maximumConcurrent = try fields.count("max_concurrent", in: 1...Self.serviceLimit) ?? 1
        retainStable = try fields.duration("retain_stable") ?? .hours(24)
        gateTimeout = try fields.duration("gate_timeout") ?? .minutes(30)
        reconcile = try fields.duration("reconcile", least: .milliseconds(100)) ?? .seconds(10)
        pageUnreadAfter = try fields.duration("page_unread_after") ?? .minutes(1)
        unmanaged = try Unmanaged(reading: &fields)
        validation = try Validation(reading: &fields)
        notify = try fields.textList("notify")
        freezeIf = try fields.textList("freeze_if")
        let defaults = ServiceDefaults(
            stages: try fields.stages("stages"),
            reversibleUntil: try fields.count("reversible_until", in: 0...99),
            bake: try fields.duration("bake") ?? .minutes(5),
            templates: try GateTemplate.read(&fields), clusterServer: clusterServer)
        var read: [Service] = []
        let nodes = try fields.list("services")
        let wanted = try fields.textList("order")
        let readHooks = try RolloutHook.read(&fields)
        hooks = readHooks.map(\.hook)
        // A misspelled field is reported itself, not the field that is missing because of it.
        try fields.finish()
        for (index, node) in nodes.enumerated() {
            let service = try Service(node, path: "services[\(index)]", file: file, defaults: defaults)
            if read.contains(where: { $0.name == service.name }) {
                throw fields.fault(
                    "the service \"\(service.name)\" appears twice", at: node, field: "services[\(index)]")
            }
            read.append(service)
        }
        guard (1...Self.serviceLimit).contains(read.count) else {
            throw fields.fault("a plan has 1 to \(Self.serviceLimit) services", field: "services")
        }
        for (index, service) in read.enumerated() {
            for name in service.depends where !read.contains(where: { $0.name == name }) {
                throw fields.fault(
                    "there is no service \"\(name)\"", at: nodes[index], field: "services[\(index)].depends")
            }
        }
        for (hook, node) in readHooks {
            for name in hook.services where !read.contains(where: { $0.name == name }) {
                throw fields.fault("there is no service \"\(name)\"", at: node["services"], field: "hooks")
            }
        }
        let graph = read.map { Node(name: $0.name, depends: $0.depends, priority: $0.priority) }
        let order: [String]
        do throws(OrderFault) {
            order = wanted.isEmpty ? try Self.order(graph) : wanted
            try Self.check(order, of: graph)
        } catch {
            let place = fields.optional("order") ?? nodes[read.firstIndex { $0.name == error.service } ?? 0]
            throw fields.fault(error.message, at: place, field: wanted.isEmpty ? "services" : "order")
        }
        services = order.compactMap { name in read.first { $0.name == name } }
        levels = Self.levels(order, of: graph)
    }
}

/// The defaults of a service, from the plan.
private struct ServiceDefaults {
    var stages: [TrafficSplit]?
    var reversibleUntil: Int?
    var bake: Milliseconds
    var templates: [GateTemplate]
    var clusterServer: String?
}

extension RolloutPlan.Service {
    fileprivate init(_ node: YAMLNode, path: String, file: String, defaults: ServiceDefaults) throws(YAMLError) {
        var fields = try FieldReader(node, path: path, file: file)
        name = try fields.name("name")
        depends = try fields.textList("depends")
        priority = try fields.optionalInteger("priority") ?? 0
        guard let stages = try fields.stages("stages") ?? defaults.stages else {
            for name in ["bake", "reversible_until", "gates", "stable_health", "preflight", "routes"] {
                _ = fields.optional(name)
            }
            try fields.finish()
            throw fields.fault("neither the service nor the plan has stages", field: "stages")
        }
        self.stages = stages
        reversibleUntil = try fields.count("reversible_until", in: 0...99) ?? defaults.reversibleUntil
        bake = try fields.duration("bake") ?? defaults.bake
        var gates: [RolloutPlan.Gate] = []
        for (index, node) in try fields.list("gates").enumerated() {
            let field = "\(path).gates[\(index)]"
            let gate = try GateTemplate.expand(
                node, path: field, file: file, service: name, defaults.templates)
            gates.append(try RolloutPlan.Gate(gate, path: field, file: file))
        }
        self.gates = gates
        stableHealth = try fields.url("stable_health")
        preflight = try fields.textList("preflight")
        var routes: [TrafficRoute] = []
        for (index, node) in try fields.list("routes").enumerated() {
            let route = try TrafficRoute(
                node, path: "\(path).routes[\(index)]", file: file, hasHealthURL: stableHealth != nil,
                clusterServer: defaults.clusterServer)
            for stage in stages {
                guard let obstacle = route.obstacle(to: stage) else { continue }
                throw fields.fault(
                    "the stage \(stage.stageName) cannot be set: \(obstacle)", at: node, field: "routes[\(index)]")
            }
            routes.append(route)
        }
        guard (1...RolloutPlan.routeLimit).contains(routes.count) else {
            throw fields.fault("a service has 1 to \(RolloutPlan.routeLimit) routes", field: "routes")
        }
        self.routes = routes
        try fields.finish()
    }
}

extension RolloutPlan.Unmanaged {
    fileprivate init(reading plan: inout FieldReader) throws(YAMLError) {
        let text = try plan.optionalText("unmanaged") ?? Self.rollback.rawValue
        guard let policy = Self(rawValue: text) else {
            throw plan.fault("expected rollback or page", at: plan.optional("unmanaged"), field: "unmanaged")
        }
        self = policy
    }
}

extension RolloutPlan.Validation {
    fileprivate init(reading plan: inout FieldReader) throws(YAMLError) {
        let node = plan.optional("validation") ?? YAMLNode(content: .mapping([]), line: 0, column: 0)
        var fields = try FieldReader(node, path: "validation", file: plan.file)
        rounds = try fields.count("rounds", in: 1...1000) ?? 3
        interval = try fields.duration("interval", least: .milliseconds(10)) ?? .seconds(5)
        timeout = try fields.duration("timeout") ?? .minutes(2)
        rules = try fields.textList("rules")
        try fields.finish()
    }
}
