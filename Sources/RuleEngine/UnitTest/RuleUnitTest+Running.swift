internal import MetricModel
internal import MetricStore
internal import PromQL
internal import RE2
internal import RuleModel
internal import Runtime
internal import YAML

extension RuleUnitTest {
    /// Reads the file at `path` and the rule files it names, and runs its tests.
    public static func run(path: String, options: Options = Options()) -> RuleUnitTestReport {
        var report = RuleUnitTestReport(path: path)
        do throws(FileText.ReadError) {
            let bytes = try FileText.bytes(path)
            do throws(RuleFileError) {
                let tests = try RuleUnitTest(parsing: bytes, path: path, options: options)
                tests.run(options: options, into: &report)
            } catch {
                report.failures += error.faults.map { .init(group: "", text: $0.description) }
            }
        } catch {
            report.failures.append(.init(group: "", text: error.description))
        }
        return report
    }

    private func run(options: Options, into report: inout RuleUnitTestReport) {
        let rules = loadRules(options: options, into: &report)
        guard report.isSuccess, let selection = selection(options, into: &report) else { return }
        for (index, group) in groups.enumerated()
        where selection.isEmpty || selection.contains(where: { $0.matchesAnywhere(group.name) }) {
            report.groupCount += 1
            let name = group.name.isEmpty ? "group \(index)" : "name: \(group.name)"
            var run = RuleUnitTestRun(tests: self, group: group, rules: rules, judge: options.judge?())
            report.failures += run.failures().map { .init(group: name, text: $0) }
        }
    }

    private func selection(
        _ options: Options, into report: inout RuleUnitTestReport
    ) -> [RegularExpression]? {
        do throws(RegularExpression.PatternError) {
            var expressions: [RegularExpression] = []
            for pattern in options.run { expressions.append(try RegularExpression(pattern)) }
            return expressions
        } catch {
            report.failures.append(.init(group: "", text: error.description))
            return nil
        }
    }

    /// The groups of all rule files, in the order in which they are evaluated.
    private func loadRules(options: Options, into report: inout RuleUnitTestReport) -> [RuleGroup] {
        let loading = RuleFile.LoadingOptions(
            features: options.features, ignoresUnknownFields: options.ignoresUnknownFields)
        var loaded: [RuleGroup] = []
        for pattern in ruleFiles {
            let paths = Paths.matching(Paths.resolve(pattern, from: Paths.directory(of: path)))
            if paths.isEmpty { report.warnings.append("no file matches \(pattern)") }
            for path in paths {
                do throws(FileText.ReadError) {
                    let bytes = try FileText.bytes(path)
                    do throws(RuleFileError) {
                        loaded += try RuleFile(parsing: bytes, path: path, options: loading).groups
                    } catch {
                        report.failures += error.faults.map { .init(group: "", text: $0.description) }
                    }
                } catch {
                    report.failures.append(.init(group: "", text: error.description))
                }
            }
        }
        let rank = Dictionary(groupOrder.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        return loaded.enumerated().sorted {
            (rank[$0.element.name] ?? .max, $0.offset) < (rank[$1.element.name] ?? .max, $1.offset)
        }.map(\.element)
    }
}

/// One run of one test group. All rule groups are evaluated repeatedly, each time with the samples up to that time.
private struct RuleUnitTestRun {
    private static let mostEvaluations = 1_000_000

    private let tests: RuleUnitTest
    private let group: RuleUnitTest.Group
    private let source = MemorySource()
    private let engine: QueryEngine
    private let evaluations: [GroupEvaluation]
    private let sink: MemorySink
    private let judge: (any RollbackJudge)?

    init(tests: RuleUnitTest, group: RuleUnitTest.Group, rules: [RuleGroup], judge: (any RollbackJudge)?) {
        self.judge = judge
        self.tests = tests
        self.group = group
        var options = EngineOptions()
        options.defaultSubqueryStep = tests.evaluationInterval
        let engine = QueryEngine(options: options)
        self.engine = engine
        let settings = RuleSettings(
            externalLabels: group.externalLabels, externalURL: group.externalURL,
            evaluationInterval: tests.evaluationInterval)
        evaluations = rules.map { GroupEvaluation($0, engine: engine, settings: settings, restoring: false) }
        sink = MemorySink(source, judge)
        for series in group.series { source.append(series, interval: group.interval, from: group.start) }
    }

    /// The differences from what is expected.
    mutating func failures() -> [String] {
        var failures: [String] = []
        let alerts = group.alerts.sorted { $0.time < $1.time }
        let rollbacks = group.rollbacks.sorted { $0.time < $1.time }
        if judge == nil, !rollbacks.isEmpty { return ["rollback rules cannot be tested here"] }
        let last = max(
            alerts.last?.time ?? .zero, rollbacks.last?.time ?? .zero, group.expressions.map(\.time).max() ?? .zero)
        guard last.rawValue / tests.evaluationInterval.rawValue < Self.mostEvaluations else {
            return ["more than \(Self.mostEvaluations) evaluations up to \(last)"]
        }
        var (checked, judged) = (0, 0)
        var time = Milliseconds.zero
        while time <= last {
            let errors = evaluate(at: time)
            if !errors.isEmpty { return failures + errors }
            let next = time + tests.evaluationInterval
            while checked < alerts.count, alerts[checked].time < next {
                if let failure = check(alerts[checked]) { failures.append(failure) }
                checked += 1
            }
            while judged < rollbacks.count, rollbacks[judged].time < next {
                if let failure = check(rollbacks[judged]) { failures.append(failure) }
                judged += 1
            }
            time = next
        }
        // Expressions also see only the samples that existed at the last evaluation.
        let seen = PastSource(source: source, now: group.start + time - tests.evaluationInterval)
        return failures + group.expressions.compactMap { check($0, in: seen) }
    }

    private func evaluate(at time: Milliseconds) -> [String] {
        let now = group.start + time
        let past = PastSource(source: source, now: now)
        var errors: [String] = []
        for evaluation in evaluations where evaluation.evaluate(at: now, from: past, into: sink) > 0 {
            for (rule, state) in zip(evaluation.group.rules, evaluation.states) where state.health == .err {
                errors.append("rule: \(rule.name), time: \(time), err: \(state.lastError)")
            }
        }
        return errors
    }

    // MARK: Checks

    private func check(_ test: RuleUnitTest.AlertCase) -> String? {
        var firing: [RuleUnitTest.AlertCase.Expected] = []
        for evaluation in evaluations {
            for (rule, state) in zip(evaluation.group.rules, evaluation.states) {
                guard case .alerting(let alerting) = rule, ByteOrder.equal(alerting.name, test.name) else { continue }
                for alert in state.alerts.active where alert.isFiring {
                    firing.append(.init(labels: alert.labels, annotations: alert.annotations))
                }
            }
        }
        let difference = RuleUnitTestDifference(
            expected: test.expected.map { ($0.labels, Self.lines($0)) },
            got: firing.map { ($0.labels, Self.lines($0)) })
        return difference.text.map { "alertname: \(test.name), time: \(test.time)\n\($0)" }
    }

    private static func lines(_ alert: RuleUnitTest.AlertCase.Expected) -> [String] {
        ["\(alert.labels)"] + alert.annotations.pairs.map { "    \($0.name): \(MetricText.quoted($0.value))" }
    }

    private func check(_ test: RuleUnitTest.RollbackCase) -> String? {
        let isKnown = evaluations.flatMap(\.group.rules).contains { rule in
            if case .rollback(let query) = rule { ByteOrder.equal(query.definition.name, test.name) } else { false }
        }
        guard isKnown else { return "rollback: \(test.name), time: \(test.time): there is no such rule" }
        let standing = judge?.trips(of: test.name) ?? []
        func line(_ labels: Labels, _ time: Milliseconds?) -> [String] {
            ["\(labels)" + (time.map { " tripped at \($0)" } ?? "")]
        }
        let difference = RuleUnitTestDifference(
            expected: test.expected.map { ($0.labels, line($0.labels, $0.trippedAt)) },
            got: standing.map { trip in
                // If no time is expected, any time matches.
                let isTimed = test.expected.first { $0.labels == trip.labels }.map { $0.trippedAt != nil } ?? true
                return (trip.labels, line(trip.labels, isTimed ? trip.trippedAt - group.start : nil))
            })
        return difference.text.map { "rollback: \(test.name), time: \(test.time)\n\($0)" }
    }

    private func check(_ test: RuleUnitTest.ExpressionCase, in past: PastSource) -> String? {
        let place = "expr: \(MetricText.quoted(test.text)), time: \(test.time)"
        let elements: [VectorElement]
        let now = group.start + test.time
        do {
            elements = try ruleElements(
                of: try engine.instant(test.expression, at: now, from: past).value, at: now)
        } catch {
            return "\(place), err: \(error)"
        }
        var got = elements
        // If every element has a match, the rest of the comparison needs no texts.
        let unmatched = test.expected.filter { expected in
            guard let index = got.firstIndex(where: { matches($0, expected) }) else { return true }
            got.remove(at: index)
            return false
        }
        if unmatched.isEmpty && got.isEmpty { return nil }
        let difference = RuleUnitTestDifference(
            expected: unmatched.map { ($0.labels, [Self.line($0.labels, $0.value, $0.histogram)]) },
            got: got.map { ($0.labels, [Self.line($0.labels, $0.value, $0.histogram)]) })
        return "\(place)\n\(difference.text ?? "      NaN equals nothing, not even itself")"
    }

    private static func line(_ labels: Labels, _ value: Double, _ histogram: FloatHistogram?) -> String {
        "\(labels) \(histogram.map(\.seriesNotation) ?? FloatText.general(value))"
    }

    private func matches(_ element: VectorElement, _ expected: RuleUnitTest.ExpressionCase.Expected) -> Bool {
        guard element.labels == expected.labels else { return false }
        switch (element.histogram, expected.histogram) {
        case (let got?, let wanted?): return got.seriesNotation == wanted.seriesNotation
        case (nil, nil):
            let (got, wanted) = (element.value, expected.value)
            return got == wanted || (tests.isFuzzy && (got.nextUp == wanted || got.nextDown == wanted))
        case (nil, _?), (_?, nil): return false
        }
    }
}

/// The samples up to a time. Rules must not see later samples, even with a negative offset.
private struct PastSource: Queryable {
    let source: MemorySource
    let now: Timestamp

    func select(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp, sampleLimit: Int
    ) throws(SelectError) -> [SeriesSamples] {
        try source.select(matchers, from: from, through: min(through, now), sampleLimit: sampleLimit)
    }
}

/// Keeps the samples that rules store, and discards alerts.
private final class MemorySink: RuleSink {
    private let source: MemorySource
    private let judge: (any RollbackJudge)?

    init(_ source: MemorySource, _ judge: (any RollbackJudge)?) {
        self.source = source
        self.judge = judge
    }

    func store(_ samples: [RuleSample], at time: Timestamp) {
        for sample in samples {
            source.append(
                sample.histogram.map { .init(time: time, histogram: $0) } ?? .init(time: time, value: sample.value),
                to: sample.labels)
        }
    }

    func send(_ alerts: [Alert]) {}

    func measured(_ measurement: RollbackMeasurement) { judge?.measured(measurement) }

    func tripped(_ rule: String) -> [ActiveAlertSnapshot] { [] }
}

/// The differences between expected and actual lines, matched by labels: `-` is missing, `+` is unexpected.
struct RuleUnitTestDifference {
    /// One or more lines per difference; `nil` if there is none.
    let text: String?

    init(expected: [(labels: Labels, lines: [String])], got: [(labels: Labels, lines: [String])]) {
        var missing = expected.sorted { $0.labels < $1.labels }
        var surplus: [(labels: Labels, lines: [String])] = []
        for entry in got.sorted(by: { $0.labels < $1.labels }) {
            if let index = missing.firstIndex(where: { $0.labels == entry.labels && $0.lines == entry.lines }) {
                missing.remove(at: index)
            } else {
                surplus.append(entry)
            }
        }
        var result: [String] = []
        for entry in missing {
            let counterpart = surplus.firstIndex { $0.labels == entry.labels }.map { surplus.remove(at: $0) }
            result += Self.merged(entry.lines, counterpart?.lines ?? [])
        }
        for entry in surplus { result += Self.merged([], entry.lines) }
        text = result.isEmpty ? nil : result.joined(separator: "\n")
    }

    /// Lines in both appear once.
    private static func merged(_ expected: [String], _ got: [String]) -> [String] {
        let missing = expected.map { ($0, got.contains($0) ? "      " : "    - ") }
        let surplus = got.filter { !expected.contains($0) }.map { ($0, "    + ") }
        return (missing + surplus).map { $1 + $0 }
    }
}
