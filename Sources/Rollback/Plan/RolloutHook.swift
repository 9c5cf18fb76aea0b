public import MetricModel
internal import YAML

/// A check outside of Tribune at a moment of a rollout, such as a load test of the candidate. A value.
public struct RolloutHook: Hashable, Sendable {
    /// The moment at which a hook is called.
    public enum Moment: String, Sendable, CaseIterable {
        /// Before the first candidate of a rollout gets traffic.
        case beforeRollout = "before_rollout"
        /// Before a service gets the traffic of its next stage.
        case beforeStage = "before_stage"
        /// When a stage of a service has baked, before its gates are evaluated.
        case afterStage = "after_stage"
        /// When every service was promoted.
        case afterPromotion = "after_promotion"
        /// When a rollback was reported.
        case afterRollback = "after_rollback"

        /// Whether it is about one service.
        public var isOfService: Bool {
            switch self {
            case .beforeStage, .afterStage: true
            case .beforeRollout, .afterPromotion, .afterRollback: false
            }
        }
    }

    /// The way to call a hook.
    public enum Kind: Hashable, Sendable {
        /// The call is posted as JSON, with these headers.
        case http(url: String, headers: [WebhookRoute.Header])
        /// The program gets the call as JSON on its standard input.
        case command([String])
    }

    /// Its name in reports; different from those of the other hooks of the plan.
    public var name: String
    /// The moment at which it is called.
    public var moment: Moment
    /// The way to call it.
    public var kind: Kind
    /// The services for which it is called; empty for all, and where the moment is not about a service.
    public var services: [String]
    /// How long a call may take.
    public var timeout: Milliseconds

    package init(name: String, moment: Moment, kind: Kind, services: [String], timeout: Milliseconds) {
        self.name = name
        self.moment = moment
        self.kind = kind
        self.services = services
        self.timeout = timeout
    }

    /// Whether it is called at `moment` of `service`, or of the whole rollout.
    func isCalled(at moment: Moment, of service: String?) -> Bool {
        self.moment == moment && (service.map { services.isEmpty || services.contains($0) } ?? true)
    }
}

extension RolloutHook {
    private static let limit = 16

    /// The hooks of a plan.
    static func read(_ plan: inout FieldReader) throws(YAMLError) -> [(hook: RolloutHook, node: YAMLNode)] {
        var hooks: [(hook: RolloutHook, node: YAMLNode)] = []
        for (index, node) in try plan.list("hooks").enumerated() {
            let hook = try RolloutHook(node, path: plan.path(of: "hooks[\(index)]"), file: plan.file)
            guard !hooks.contains(where: { $0.hook.name == hook.name }) else {
                throw plan.fault("the hook \"\(hook.name)\" appears twice", at: node, field: "hooks[\(index)]")
            }
            hooks.append((hook, node))
        }
        guard hooks.count <= limit else { throw plan.fault("a plan has at most \(limit) hooks", field: "hooks") }
        return hooks
    }

    private init(_ node: YAMLNode, path: String, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: path, file: file)
        name = try fields.name("name")
        let when = try fields.text("when")
        guard let moment = Moment(rawValue: when) else {
            let names = Moment.allCases.map(\.rawValue).joined(separator: ", ")
            throw fields.fault("expected one of \(names)", at: fields.optional("when"), field: "when")
        }
        self.moment = moment
        services = try fields.textList("services")
        guard services.isEmpty || moment.isOfService else {
            throw fields.fault(
                "\(when) is not about one service", at: fields.optional("services"), field: "services")
        }
        let url = try fields.url("http")
        let command = try fields.command("exec")
        let headers = try fields.headers("headers")
        switch (url, command) {
        case (let url?, nil): kind = .http(url: url, headers: headers)
        case (nil, let command?):
            guard headers.isEmpty else {
                throw fields.fault("a program gets no headers", at: fields.optional("headers"), field: "headers")
            }
            kind = .command(command)
        case (nil, nil), (_?, _?): throw fields.fault("a hook has exactly one of http and exec")
        }
        timeout = try fields.duration("timeout", least: .milliseconds(100)) ?? .minutes(1)
        guard timeout <= .hours(6) else {
            throw fields.fault("must be at most 6h", at: fields.optional("timeout"), field: "timeout")
        }
        try fields.finish()
    }
}
