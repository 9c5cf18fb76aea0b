internal import GoTemplate
internal import MetricModel
internal import PromQL
internal import Runtime
internal import YAML

extension RuleUnitTest {
    /// Reads the tests in `bytes`. `path` is used in errors, and rule files are relative to its directory.
    public init(parsing bytes: [UInt8], path: String, options: Options = Options()) throws(RuleFileError) {
        var reader = RuleUnitTestReader(file: path, options: options)
        let document: YAMLNode?
        do throws(YAMLError) {
            document = try YAML.parse(bytes, file: path).first
        } catch {
            throw RuleFileError(faults: [error])
        }
        let empty = YAMLNode(content: .mapping([]), line: 1, column: 1)
        let tests = reader.tests(document ?? empty, path: path)
        guard let tests, reader.rules.faults.isEmpty else { throw RuleFileError(faults: reader.rules.faults) }
        self = tests
    }
}

/// Reads one file of unit tests and collects all its errors.
private struct RuleUnitTestReader {
    private let options: RuleUnitTest.Options
    /// Reads fields and collects errors as for rule files.
    var rules: RuleFileReader

    init(file: String, options: RuleUnitTest.Options) {
        self.options = options
        rules = RuleFileReader(
            file: file, options: .init(features: options.features, ignoresUnknownFields: options.ignoresUnknownFields))
    }

    mutating func tests(_ node: YAMLNode, path: String) -> RuleUnitTest? {
        guard var fields = rules.fields(node, "") else { return nil }
        var interval = rules.duration(&fields, "evaluation_interval") ?? .zero
        if interval <= .zero { interval = .minutes(1) }
        let order = rules.attempt { () throws(YAMLError) in try fields.textList("group_eval_order") } ?? []
        if Set(order).count < order.count {
            rules.refuse(fields.fault("a group name is repeated", field: "group_eval_order"))
        }
        var groups: [RuleUnitTest.Group] = []
        for (index, node) in list(&fields, "tests").enumerated() {
            if let group = group(node, "tests[\(index)]", interval) { groups.append(group) }
        }
        let tests = RuleUnitTest(
            path: path,
            ruleFiles: rules.attempt { () throws(YAMLError) in try fields.textList("rule_files") } ?? [],
            evaluationInterval: interval, groupOrder: order, isFuzzy: flag(&fields, "fuzzy_compare"), groups: groups)
        rules.finish(fields)
        return tests
    }

    private mutating func group(_ node: YAMLNode, _ path: String, _ interval: Milliseconds) -> RuleUnitTest.Group? {
        guard var fields = rules.fields(node, path) else { return nil }
        var series: [SeriesNotation] = []
        for (index, node) in list(&fields, "input_series").enumerated() {
            if let line = self.series(node, "\(path).input_series[\(index)]") { series.append(line) }
        }
        var alerts: [RuleUnitTest.AlertCase] = []
        for (index, node) in list(&fields, "alert_rule_test").enumerated() {
            if let test = alert(node, "\(path).alert_rule_test[\(index)]") { alerts.append(test) }
        }
        var expressions: [RuleUnitTest.ExpressionCase] = []
        for (index, node) in list(&fields, "promql_expr_test").enumerated() {
            if let test = expression(node, "\(path).promql_expr_test[\(index)]") { expressions.append(test) }
        }
        var rollbacks: [RuleUnitTest.RollbackCase] = []
        for (index, node) in list(&fields, "rollback_rule_test").enumerated() {
            if let test = rollback(node, "\(path).rollback_rule_test[\(index)]") { rollbacks.append(test) }
        }
        let own = rules.duration(&fields, "interval") ?? .zero
        let group = RuleUnitTest.Group(
            name: rules.text(&fields, "name") ?? "", interval: own > .zero ? own : interval, start: start(&fields),
            series: series, alerts: alerts, expressions: expressions, rollbacks: rollbacks,
            externalLabels: labels(&fields, "external_labels"),
            externalURL: rules.text(&fields, "external_url") ?? "")
        rules.finish(fields)
        return group
    }

    /// A date, or seconds since the epoch.
    private mutating func start(_ fields: inout FieldReader) -> Timestamp {
        guard let text = rules.text(&fields, "start_timestamp") else { return Timestamp(milliseconds: 0) }
        if let milliseconds = RFC3339.milliseconds(parsing: text) { return Timestamp(milliseconds: milliseconds) }
        if let seconds = Double(text), seconds.magnitude < 1e12 { return Timestamp(seconds: seconds) }
        rules.refuse(
            fields.fault(
                "expected a date or seconds since the epoch", at: fields.optional("start_timestamp"),
                field: "start_timestamp"))
        return Timestamp(milliseconds: 0)
    }

    private mutating func series(_ node: YAMLNode, _ path: String) -> SeriesNotation? {
        guard var fields = rules.fields(node, path) else { return nil }
        defer { rules.finish(fields) }
        let metric = rules.text(&fields, "series") ?? ""
        let values = rules.text(&fields, "values") ?? ""
        do throws(ParseError) {
            return try SeriesNotation(parsing: "\(metric) \(values)")
        } catch {
            rules.refuse(fields.fault("\(error)"))
            return nil
        }
    }

    private mutating func alert(_ node: YAMLNode, _ path: String) -> RuleUnitTest.AlertCase? {
        guard var fields = rules.fields(node, path) else { return nil }
        let name = rules.text(&fields, "alertname") ?? ""
        if name.isEmpty { rules.refuse(fields.fault("alertname must be set", field: "alertname")) }
        var expected: [RuleUnitTest.AlertCase.Expected] = []
        for (index, node) in list(&fields, "exp_alerts").enumerated() {
            guard var inner = rules.fields(node, "\(path).exp_alerts[\(index)]") else { continue }
            expected.append(
                .init(
                    labels: labels(&inner, "exp_labels").setting("alertname", to: name),
                    annotations: labels(&inner, "exp_annotations")))
            rules.finish(inner)
        }
        let time = rules.duration(&fields, "eval_time") ?? .zero
        rules.finish(fields)
        return RuleUnitTest.AlertCase(time: time, name: name, expected: expected)
    }

    private mutating func rollback(_ node: YAMLNode, _ path: String) -> RuleUnitTest.RollbackCase? {
        guard var fields = rules.fields(node, path) else { return nil }
        let name = rules.text(&fields, "rollback") ?? ""
        if name.isEmpty { rules.refuse(fields.fault("rollback must name a rule", field: "rollback")) }
        var expected: [RuleUnitTest.RollbackCase.Expected] = []
        for (index, node) in list(&fields, "exp_trips").enumerated() {
            guard var inner = rules.fields(node, "\(path).exp_trips[\(index)]") else { continue }
            expected.append(
                .init(labels: labels(&inner, "exp_labels"), trippedAt: rules.duration(&inner, "exp_tripped_at")))
            rules.finish(inner)
        }
        let time = rules.duration(&fields, "eval_time") ?? .zero
        rules.finish(fields)
        return RuleUnitTest.RollbackCase(time: time, name: name, expected: expected)
    }

    private mutating func expression(_ node: YAMLNode, _ path: String) -> RuleUnitTest.ExpressionCase? {
        guard var fields = rules.fields(node, path) else { return nil }
        let text = rules.text(&fields, "expr") ?? ""
        let expression = rules.expression(&fields, "expr")
        var expected: [RuleUnitTest.ExpressionCase.Expected] = []
        for (index, node) in list(&fields, "exp_samples").enumerated() {
            if let sample = sample(node, "\(path).exp_samples[\(index)]") { expected.append(sample) }
        }
        let time = rules.duration(&fields, "eval_time") ?? .zero
        rules.finish(fields)
        return expression.map {
            RuleUnitTest.ExpressionCase(time: time, text: text, expression: $0, expected: expected)
        }
    }

    private mutating func sample(_ node: YAMLNode, _ path: String) -> RuleUnitTest.ExpressionCase.Expected? {
        guard var fields = rules.fields(node, path) else { return nil }
        defer { rules.finish(fields) }
        let labels = rules.text(&fields, "labels") ?? ""
        let number = rules.text(&fields, "value")
        let histogram = rules.text(&fields, "histogram")
        do throws(ParseError) {
            var sample = RuleUnitTest.ExpressionCase.Expected(
                labels: labels.isEmpty ? .empty : try SeriesNotation.metric(labels), value: 0)
            if let histogram {
                guard case .histogram(let value, _)? = try SeriesNotation(parsing: "{} \(histogram)").values.first
                else {
                    rules.refuse(fields.fault("expected a native histogram", field: "histogram"))
                    return nil
                }
                sample.histogram = value
            } else if let number {
                guard let value = Self.number(number) else {
                    rules.refuse(fields.fault("expected a number", at: fields.optional("value"), field: "value"))
                    return nil
                }
                sample.value = value
            }
            return sample
        } catch {
            rules.refuse(fields.fault("\(error)"))
            return nil
        }
    }

    /// A number as YAML writes it: also `0x10`, `1_000`, `.inf`, `.nan`.
    private static func number(_ text: String) -> Double? {
        switch GoNumber(text) {
        case .integer(let value): return Double(value)
        case .float(let value): return value
        case nil: break
        }
        return GoNumber.float(text.replacing(".inf", with: "inf").replacing(".nan", with: "nan"))
    }

    // MARK: Fields

    private mutating func list(_ fields: inout FieldReader, _ name: String) -> [YAMLNode] {
        rules.attempt { () throws(YAMLError) in try fields.list(name) } ?? []
    }

    private mutating func flag(_ fields: inout FieldReader, _ name: String) -> Bool {
        (rules.attempt { () throws(YAMLError) in try fields.optionalFlag(name) } ?? nil) ?? false
    }

    private mutating func labels(_ fields: inout FieldReader, _ name: String) -> Labels {
        Labels(rules.labels(&fields, name, kind: "annotation").map { Label($0.name, $0.text) })
    }
}
