internal import MetricModel
internal import YAML

/// Compares rule files and rollout plans before and after a change: a rule that is gone, a looser threshold, a longer
/// delay, a lower severity.
enum RuleStrictness {
    /// A rule or a gate of a plan, as written.
    private struct Definition {
        var path: String
        var line: Int
        /// The measured expression, without the threshold.
        var measured: String
        /// The comparison and the threshold at which it acts; `nil` if the expression does not end with one.
        var limit: (comparison: String, value: Double)?
        var delay: Milliseconds = .zero
        var consecutive = 1.0
        var severity: String?
        var mode: String?
        var isImmediate = false
    }

    /// The findings of all changed files. A rule that moved to another file is compared there.
    static func findings(in changes: [ConstitutionalCheck.FileChange]) -> [ConstitutionalCheck.Finding] {
        var findings: [ConstitutionalCheck.Finding] = []
        var (before, after): ([String: Definition], [String: Definition]) = ([:], [:])
        for change in changes where change.path.hasSuffix(".yml") || change.path.hasSuffix(".yaml") {
            before.merge(definitions(change.before, change.path) ?? [:]) { first, _ in first }
            let read = definitions(change.after, change.path)
            if read == nil, definitions(change.before, change.path)?.isEmpty == false {
                findings.append(.init(kind: .rule, path: change.path, message: "the rules cannot be read any more"))
            }
            after.merge(read ?? [:]) { first, _ in first }
        }
        for (name, old) in before.sorted(by: { $0.key < $1.key }) {
            guard let new = after[name] else {
                findings.append(.init(kind: .rule, path: old.path, message: "\(name) is gone"))
                continue
            }
            for problem in weaknesses(old, new) {
                findings.append(.init(kind: .rule, path: new.path, line: new.line, message: "\(name): \(problem)"))
            }
        }
        return findings
    }

    private static func weaknesses(_ old: Definition, _ new: Definition) -> [String] {
        var found: [String] = []
        if old.measured != new.measured {
            found.append("the expression is another one, which cannot be shown to be as strict")
        } else if let (was, limit) = old.limit, let (now, value) = new.limit {
            let isBelow = was.hasPrefix("<")
            if was != now, was + "=" != now {
                found.append("\(now) instead of \(was)")
            } else if isBelow ? value < limit : was.hasPrefix(">") ? value > limit : value != limit {
                found.append("acts at \(now) \(FloatText.general(value)) instead of \(FloatText.general(limit))")
            }
        } else if (old.limit == nil) != (new.limit == nil) {
            found.append("the threshold is another one")
        }
        if new.delay > old.delay { found.append("waits \(new.delay) instead of \(old.delay)") }
        if new.consecutive > old.consecutive {
            found.append(
                "needs \(FloatText.general(new.consecutive)) measurements instead of \(FloatText.general(old.consecutive))"
            )
        }
        if old.isImmediate, !new.isImmediate { found.append("is not immediate any more") }
        if rank(new.severity) < rank(old.severity) {
            found.append("severity \(new.severity ?? "none") instead of \(old.severity ?? "none")")
        }
        if let mode = new.mode, mode != "enforce", (old.mode ?? "enforce") == "enforce" { found.append("mode \(mode)") }
        return found
    }

    private static func rank(_ severity: String?) -> Int {
        let order = ["none", "info", "low", "warning", "medium", "high", "critical"]
        return severity.flatMap(order.firstIndex) ?? 0
    }

    /// The rules and gates of a file by name; empty for a file of another kind, `nil` if it is not YAML.
    private static func definitions(_ text: String?, _ path: String) -> [String: Definition]? {
        guard let text else { return [:] }
        let documents: [YAMLNode]
        do throws(YAMLError) { documents = try YAML.parse(text, file: path) } catch { return nil }
        var found: [String: Definition] = [:]
        for document in documents {
            for group in document["groups"]?.elements ?? [] {
                for rule in group["rules"]?.elements ?? [] {
                    for kind in ["alert", "rollback"] {
                        guard let name = rule[kind]?.text else { continue }
                        found["\(kind) \(name)"] = definition(rule, path)
                    }
                }
            }
            guard document["plan"] != nil else { continue }
            for service in document["services"]?.elements ?? [] {
                for gate in service["gates"]?.elements ?? [] {
                    guard let healthy = gate["healthy"]?.text, let expression = gate["expr"]?.text else { continue }
                    var definition = Definition(path: path, line: gate.line, measured: collapsed(expression))
                    // A gate is closed where a rule acts: beyond what is healthy.
                    if let (_, comparison, value) = split("x \(healthy)") {
                        definition.limit = (comparison.hasPrefix("<") ? ">" : "<", value)
                    }
                    let name = gate["name"]?.text ?? expression
                    found["gate \(name) of \(service["name"]?.text ?? "")"] = definition
                }
            }
            for node in document["freeze_if"]?.elements ?? [] {
                guard let name = node.text else { continue }
                found["freeze_if \(name)"] = Definition(path: path, line: node.line, measured: name)
            }
        }
        return found
    }

    private static func definition(_ rule: YAMLNode, _ path: String) -> Definition {
        let expression = collapsed(rule["expr"]?.text ?? "")
        var definition = Definition(path: path, line: rule.line, measured: expression)
        if let trip = rule["trip"]?.text {
            definition.limit = split("x \(trip)").map { ($0.comparison, $0.value) }
        } else if let (measured, comparison, value) = split(expression) {
            definition.measured = measured
            definition.limit = (comparison, value)
        }
        definition.delay = rule["for"]?.text.flatMap { Milliseconds(parsing: $0) } ?? .zero
        definition.consecutive = rule["consecutive"]?.text.flatMap { Double($0) } ?? 1
        definition.severity = rule["severity"]?.text ?? rule["labels"]?["severity"]?.text
        definition.mode = rule["mode"]?.text
        definition.isImmediate = rule["immediate"]?.text == "true"
        return definition
    }

    private static func collapsed(_ text: String) -> String {
        text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    private static var ending: Regex<(Substring, Substring, Substring, Substring)> {
        /^(.*?)\s*(<=|>=|==|!=|<|>)\s*(-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?)$/
    }

    private static func split(_ text: String) -> (measured: String, comparison: String, value: Double)? {
        guard let match = text.wholeMatch(of: ending), let value = Double(match.output.3) else { return nil }
        return (String(match.output.1), String(match.output.2), value)
    }
}
