internal import MetricModel
internal import Rollback
internal import RuleEngine
internal import RuleModel
internal import Runtime
internal import YAML

/// Checks that the names in plans and rollback rules exist, because a trip would be too late to find out.
struct NameCheck {
    /// A plan with its file.
    struct PlanFile {
        var path: String
        var plan: RolloutPlan
    }

    let ruleFiles: [RuleFile]
    let plans: [PlanFile]
    /// The names of the verdicts; `nil` if they are unknown.
    let verdicts: [String]?
    /// The names of the receivers; `nil` if they are unknown.
    let receivers: Set<String>?
    private(set) var faults: [YAMLError] = []

    /// Checks all names.
    init(_ ruleFiles: [RuleFile], _ plans: [PlanFile], verdicts: [String]? = nil, receivers: Set<String>?) {
        (self.ruleFiles, self.plans, self.receivers) = (ruleFiles, plans, receivers)
        self.verdicts = verdicts
        for file in ruleFiles { check(file) }
        for plan in plans { check(plan) }
    }

    /// The reach of every rollback rule whose plan exists.
    var reaches: [RuleReach] { Self.reaches(ruleFiles.flatMap(\.groups), plans.map(\.plan)) }

    /// The reach of every rollback rule of `groups` whose plan is among `plans`.
    static func reaches(_ groups: [RuleGroup], _ plans: [RolloutPlan]) -> [RuleReach] {
        groups.flatMap { group in
            group.rules.compactMap { rule in
                guard case .rollback(let query) = rule,
                    let plan = plans.first(where: { $0.name == query.definition.action.plan })
                else { return nil }
                return RuleReach(query, key: "\(group.key);\(query.definition.name)", in: plan)
            }
        }
    }

    /// A line for each rule with the services it reaches, and a warning for each service that no rule reaches.
    var report: (lines: [String], warnings: [String]) {
        let reaches = reaches
        var (lines, warnings): ([String], [String]) = ([], [])
        for plan in plans.map(\.plan) {
            let own = reaches.filter { $0.rule.definition.action.plan == plan.name }
            for reach in own {
                let definition = reach.rule.definition
                let judged = reach.judged.isEmpty ? "no service" : reach.judged.joined(separator: ", ")
                let more = reach.taken.filter { !reach.judged.contains($0) }
                let also = more.isEmpty ? "" : "; also rolls back \(more.joined(separator: ", "))"
                let mode = definition.mode == .shadow ? " (shadow)" : ""
                lines.append("plan \(plan.name): rule \(definition.name)\(mode) judges \(judged)\(also)")
            }
            let enforced = own.filter { $0.rule.definition.mode == .enforce }
            for service in plan.services.map(\.name) where !enforced.contains(where: { $0.taken.contains(service) }) {
                warnings.append("plan \(plan.name): no rollback rule reaches the service \"\(service)\"")
            }
        }
        let judging = ruleFiles.flatMap(\.groups).flatMap(\.rules).compactMap { rule -> RollbackDefinition? in
            guard case .rollback(let query) = rule, query.definition.action.verdict != nil else { return nil }
            return query.definition
        }
        for definition in judging {
            let mode = definition.mode == .shadow ? " (shadow)" : ""
            lines.append(
                "verdict \(definition.action.verdict ?? ""): rule \(definition.name)\(mode) judges its release")
        }
        for name in verdicts ?? []
        where !judging.contains(where: { $0.action.verdict == name && $0.mode == .enforce }) {
            warnings.append("verdict \(name): no rollback rule in mode enforce judges it, so it is always unknown")
        }
        return (lines, warnings)
    }

    // MARK: Rules

    private mutating func check(_ file: RuleFile) {
        for (number, group) in file.groups.enumerated() {
            for (index, rule) in group.rules.enumerated() {
                guard case .rollback(let query) = rule else { continue }
                check(query, in: file.path, "groups[\(number)].rules[\(index)]")
            }
        }
    }

    private mutating func check(_ rule: RollbackQuery, in file: String, _ path: String) {
        let (action, name) = (rule.definition.action, rule.definition.name)
        if let verdict = action.verdict {
            guard let verdicts, !verdicts.contains(verdict) else { return }
            return refuse(
                file, "\(path).action.verdict", "rule \(name): verdicts of tribune.yml has no \"\(verdict)\"")
        }
        guard let plan = plans.first(where: { $0.plan.name == action.plan })?.plan else {
            return refuse(file, "\(path).action.plan", "rule \(name): no plan named \"\(action.plan)\"")
        }
        if let service = action.service, plan.service(service) == nil {
            return refuse(
                file, "\(path).action.service",
                "rule \(name): the plan \"\(plan.name)\" has no service \"\(service)\"")
        }
        guard action.scope != .all, plan.services.count > 1, RuleReach.namesNoService(rule) else { return }
        refuse(
            file, "\(path).action",
            "rule \(name): neither action.service nor the label \"service\" of the measurement says which of the "
                + "\(plan.services.count) services of the plan \"\(plan.name)\" is meant: "
                + "set action.service, aggregate by (service), or set action.scope to all")
    }

    // MARK: Plans

    private mutating func check(_ file: PlanFile) {
        let plan = file.plan
        let known = Set(
            ruleFiles.flatMap(\.groups).flatMap(\.rules).compactMap { rule -> String? in
                guard case .rollback(let query) = rule, query.definition.action.plan == plan.name else { return nil }
                return query.definition.name
            })
        func missing(_ name: String) -> String {
            "no rollback rule \"\(name)\" with an action for the plan \"\(plan.name)\""
        }
        for (index, name) in plan.freezeIf.enumerated() where !known.contains(name) {
            refuse(file.path, "freeze_if[\(index)]", missing(name))
        }
        for (index, name) in plan.validation.rules.enumerated() where !known.contains(name) {
            refuse(file.path, "validation.rules[\(index)]", missing(name))
        }
        for service in plan.services {
            for (index, gate) in service.gates.enumerated() {
                guard case .rule(let name) = gate.kind, !known.contains(name) else { continue }
                refuse(file.path, "services[name=\(service.name)].gates[\(index)].rule", missing(name))
            }
        }
        guard let receivers else { return }
        for (index, name) in plan.notify.enumerated() where !receivers.contains(name) {
            refuse(
                file.path, "notify[\(index)]",
                receivers.isEmpty
                    ? "no receiver \"\(name)\": alertmanager_config is not set"
                    : "alertmanager_config has no receiver \"\(name)\"")
        }
    }

    private mutating func refuse(_ file: String, _ field: String, _ message: String) {
        faults.append(YAMLError(at: field, of: file, message: message))
    }
}

extension YAMLError {
    /// An error of a field of a file that was read before. The file is read again for the position.
    ///
    /// - Parameter field: the path of the field, such as `services[2].name`. `services[name=web]` is the element whose
    ///   `name` is `web`.
    init(at field: String, of file: String, message: String) {
        self.init(file: file, line: 0, column: 0, field: field, message: message)
        // If the file has changed since, the error has no line.
        guard let bytes = try? FileText.bytes(file, limit: 64 << 20),
            let document = try? YAML.parse(bytes, file: file).first
        else { return }
        var (node, shown) = (document, "")
        for step in field.split(separator: ".").flatMap(Self.steps) {
            var position: Int?
            var next: YAMLNode?
            if let index = Int(step) {
                position = index
            } else if step.hasPrefix("name="), let elements = node.elements {
                position = elements.firstIndex { $0["name"]?.text == String(step.dropFirst(5)) }
            } else {
                next = node[String(step)]
                shown += shown.isEmpty ? step : ".\(step)"
            }
            if let position, let elements = node.elements, elements.indices.contains(position) {
                next = elements[position]
                shown += "[\(position)]"
            }
            guard let next else { return }
            node = next
        }
        (line, column, self.field) = (node.line, node.column, shown)
    }

    /// Splits `name[3]` into `name` and `3`.
    private static func steps(_ part: Substring) -> [Substring] {
        part.split(whereSeparator: { $0 == "[" || $0 == "]" })
    }
}
