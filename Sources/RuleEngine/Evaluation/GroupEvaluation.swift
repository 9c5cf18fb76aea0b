internal import GoTemplate
internal import MetricModel
internal import PromQL
internal import RuleModel
internal import Runtime

/// Receives the results of a group's rules.
protocol RuleSink: AnyObject {
    /// Stores samples. They must be readable when this returns.
    func store(_ samples: [RuleSample], at time: Timestamp) throws(RuleFailure)
    /// Passes on alerts that must be sent to receivers.
    func send(_ alerts: [Alert])
    /// Passes on the measurement of a rollback rule.
    func measured(_ measurement: RollbackMeasurement)
    /// The tripped elements of the rollback rule `file;group;name`.
    func tripped(_ rule: String) -> [ActiveAlertSnapshot]
}

/// Evaluates the rules of one group, in order. The live service and rule unit tests run the same code here.
///
/// Owned by one thread at a time.
final class GroupEvaluation {
    /// The prepared expressions of one rule.
    private struct Queries {
        var main: RuleExpression
        var minimumSamples: RuleExpression?
        var guardExpression: RuleExpression?
        /// Yield the times of the newest samples that a measurement rests on.
        var sampleTimes: [RuleExpression] = []
    }

    let group: RuleGroup
    private let engine: QueryEngine
    let settings: RuleSettings
    private let queries: [Queries]
    /// Whether the rule may read the output of an earlier rule in the group, which must then be stored first.
    private let readsEarlier: [Bool]
    private let interval: Milliseconds
    let offset: Milliseconds
    /// Whether each rule is evaluated at scrapes between two evaluations by the clock.
    let advances: [Bool]
    /// The metrics that recording rules write and alerting rules of the group read.
    let recordedForAlerts: Set<String>
    /// Parallel to the rules.
    var states: [RuleState]
    /// Series of rules that a reload removed. They are marked stale at the next evaluation.
    private(set) var orphans: [Labels]
    /// Why a rule got no answer in the last evaluation; `nil` if all did.
    private(set) var unknown: String?
    private var pending: [RuleSample] = []

    /// Prepares `group`. If it replaces `earlier`, unchanged rules keep their state.
    ///
    /// - Parameter restoring: whether alerts are restored to their state before a restart.
    init(
        _ group: RuleGroup, engine: QueryEngine, settings: RuleSettings, restoring: Bool,
        continuing earlier: GroupEvaluation? = nil
    ) {
        self.group = group
        self.engine = engine
        self.settings = settings
        interval = group.interval ?? settings.evaluationInterval
        let server = settings.server(of: group)
        offset = group.queryOffset ?? server?.queryOffset ?? settings.queryOffset
        queries = group.rules.map { rule in
            func prepared(_ expression: Expression) -> RuleExpression {
                RuleExpression(expression, engine, isAsked: server != nil)
            }
            guard case .rollback(let query) = rule else { return Queries(main: prepared(rule.expression)) }
            let times =
                server == nil ? query.expression.newestSampleTimes : query.expression.portableNewestSampleTimes
            return Queries(
                main: prepared(query.expression), minimumSamples: query.minimumSamples.map(prepared),
                guardExpression: query.guardExpression.map(prepared), sampleTimes: times.map(prepared))
        }
        readsEarlier = Self.dependencies(of: group.rules)
        let advances = Self.advancing(group.rules)
        self.advances = advances
        recordedForAlerts = Set(
            zip(group.rules, advances).compactMap { rule, advances in
                if advances, case .recording = rule { rule.name } else { nil }
            })
        (states, orphans) = Self.inherited(by: group.rules, from: earlier, restoring: restoring)
    }

    /// Evaluates all rules at `time`, reading from `source`. Returns the number of rules that failed.
    @discardableResult
    func evaluate(
        at time: Timestamp, cause: Int64 = 0, from source: any Queryable, into sink: any RuleSink
    ) -> Int {
        evaluate(at: time, cause: cause, from: .store(source), into: sink)
    }

    /// Evaluates all rules at `time`, asking `source`. Returns the number of rules that failed.
    ///
    /// A rule without an answer keeps its state: its alerts neither rise nor resolve, and those that fire are sent
    /// again, so that receivers do not take silence for their end.
    @discardableResult
    func evaluate(at time: Timestamp, cause: Int64 = 0, from source: RuleSource, into sink: any RuleSink) -> Int {
        var failures = 0
        unknown = nil
        for index in group.rules.indices {
            let start = SystemClock.monotonicNanoseconds()
            states[index].lastEvaluation = time
            do throws(RuleFailure) {
                if readsEarlier[index] { try flush(at: time, into: sink) }
                pending += try evaluate(index, at: time, cause: cause, from: source, into: sink)
                states[index].health = .ok
                states[index].lastError = ""
            } catch {
                failures += 1
                states[index].health = .err
                states[index].lastError = error.description
                if error.isUnknown { unanswered(index, error, at: time, into: sink) }
            }
            states[index].evaluationSeconds = Double(SystemClock.monotonicNanoseconds() - start) / 1e9
        }
        for series in orphans where !states.contains(where: { $0.stored.contains(series) }) {
            pending.append(RuleSample(labels: series, value: .staleMarker))
        }
        orphans = []
        do throws(RuleFailure) {
            try flush(at: time, into: sink)
        } catch {
            failures += 1
            if let last = states.indices.last {
                states[last].health = .err
                states[last].lastError = error.description
            }
        }
        return failures
    }

    /// A staleness marker for each series that the rules have stored.
    var endings: [RuleSample] {
        let series = orphans + states.flatMap { $0.stored.sorted() }
        return series.map { RuleSample(labels: $0, value: .staleMarker) }
    }

    private func unanswered(_ index: Int, _ failure: RuleFailure, at time: Timestamp, into sink: any RuleSink) {
        unknown = unknown ?? failure.description
        if case .alerting(let rule) = group.rules[index] { send(index, rule, at: time, into: sink) }
    }

    private func flush(at time: Timestamp, into sink: any RuleSink) throws(RuleFailure) {
        guard !pending.isEmpty else { return }
        defer { pending.removeAll(keepingCapacity: true) }
        try sink.store(pending, at: time - offset)
    }

    // MARK: Rules

    private func evaluate(
        _ index: Int, at time: Timestamp, cause: Int64, from source: RuleSource, into sink: any RuleSink
    ) throws(RuleFailure) -> [RuleSample] {
        switch group.rules[index] {
        case .recording(let rule):
            return states[index].storing(try recording(rule, index, at: time, from: source))
        case .alerting(let rule):
            return try evaluate(rule, index, at: time, from: source, into: sink)
        case .rollback(let query):
            return try evaluate(query, index, at: time, cause: cause, from: source, into: sink)
        }
    }

    /// The samples that a recording rule yields.
    func recording(
        _ rule: RecordingRule, _ index: Int, at time: Timestamp, from source: RuleSource
    ) throws(RuleFailure) -> [RuleSample] {
        let elements = try queries[index].main.elements(at: time - offset, from: source)
        return try rule.samples(for: elements, limit: group.limit, recorded: &states[index].recorded)
    }

    /// Lets the alerts of a rule advance.
    func advance(
        _ rule: AlertingRule, _ index: Int, at time: Timestamp, from source: RuleSource, into sink: any RuleSink
    ) throws(RuleFailure) {
        let elements = try queries[index].main.elements(at: time - offset, from: source)
        if elements.isEmpty { return }
        let functions = functions(at: time, from: source)
        let hasNews = try states[index].alerts.advanced(
            rule.elements(for: elements, settings: settings, functions: functions), at: time, hold: rule.hold,
            limit: group.limit)
        if hasNews { send(index, rule, at: time, into: sink) }
    }

    private func evaluate(
        _ rule: AlertingRule, _ index: Int, at time: Timestamp, from source: RuleSource, into sink: any RuleSink
    ) throws(RuleFailure) -> [RuleSample] {
        let elements = try queries[index].main.elements(at: time - offset, from: source)
        let functions = functions(at: time, from: source)
        let timing = AlertSet.Timing(hold: rule.hold, keepFiring: rule.keepFiring, limit: group.limit)
        try states[index].alerts.evaluated(
            rule.elements(for: elements, settings: settings, functions: functions), at: time, timing: timing)
        defer { send(index, rule, at: time, into: sink) }
        if !states[index].isRestored {
            try restore(rule, index, at: time, from: source)
            return []
        }
        return states[index].storing(states[index].alerts.samples)
    }

    private func evaluate(
        _ query: RollbackQuery, _ index: Int, at time: Timestamp, cause: Int64, from source: RuleSource,
        into sink: any RuleSink
    ) throws(RuleFailure) -> [RuleSample] {
        var measurement = RollbackMeasurement(
            rule: "\(group.key);\(query.definition.name)", ruleHash: query.hash, definition: query.definition,
            time: time, causeNanoseconds: cause, elements: [])
        defer { sink.measured(measurement) }
        do throws(RuleFailure) {
            let (queries, at) = (queries[index], time - offset)
            let elements = try queries.main.elements(at: at, from: source)
            var (minimum, guards): ([VectorElement]?, [VectorElement]?)
            if let query = queries.minimumSamples { minimum = try query.elements(at: at, from: source) }
            if let query = queries.guardExpression { guards = try query.elements(at: at, from: source) }
            measurement.elements = query.measurements(of: elements, minimum: minimum, guards: guards)
            // A single violation that trips waits for nothing more.
            if query.definition.consecutive > 1 || !query.isViolated(by: measurement.elements) {
                var times: [VectorElement] = []
                for query in queries.sampleTimes { times += try query.elements(at: at, from: source) }
                query.date(&measurement.elements, by: times)
            }
            query.annotate(&measurement.elements, settings: settings, functions: functions(at: time, from: source))
        } catch {
            measurement.failure = error.description
            measurement.isUnknown = error.isUnknown
            throw error
        }
        var samples = measurement.elements.map { element in
            let series = element.labels.setting("rule", to: query.definition.name)
            return RuleSample(
                labels: series.setting(Labels.metricName, to: Self.measurementMetric), value: element.value)
        }
        // Tripped elements are stored as firing alerts.
        for alert in sink.tripped(measurement.rule) {
            let series = alert.labels.setting("alertstate", to: ActiveAlertSnapshot.State.firing.rawValue)
            samples.append(
                RuleSample(labels: series.setting(Labels.metricName, to: AlertSet.alertsMetric), value: 1))
        }
        return states[index].storing(samples)
    }

    /// The functions of templates.
    private func functions(at time: Timestamp, from source: RuleSource) -> PrometheusFunctions {
        PrometheusFunctions(time: time, externalURL: settings.externalURL) { [engine] text throws(TemplateFailure) in
            try Self.samples(of: text, at: time, engine: engine, from: source)
        }
    }

    /// The metric name under which measurements are stored, for dashboards and replay.
    static let measurementMetric = "tribune_rollback_measurement"

    /// Runs an ad hoc query for a template.
    private static func samples(
        of text: String, at time: Timestamp, engine: QueryEngine, from source: RuleSource
    ) throws(TemplateFailure) -> [TemplateSample] {
        do {
            let expression = RuleExpression(try Expression.parse(text), engine, isAsked: source.isServer)
            return try expression.elements(at: time, from: source).map { element in
                TemplateSample(labels: element.labels, value: element.value)
            }
        } catch {
            throw TemplateFailure("\(error)")
        }
    }

    // MARK: Alerts

    private func send(_ index: Int, _ rule: AlertingRule, at time: Timestamp, into sink: any RuleSink) {
        let due = states[index].alerts.due(at: time, resendDelay: settings.resendDelay)
        if due.isEmpty { return }
        let validity = max(interval, settings.resendDelay) * 4
        let link = "/graph?g0.expr=\(QueryEscape.escaped(rule.expression.description))&g0.tab=1"
        let alerts = due.compactMap { instance -> Alert? in
            let (startsAt, resolvedAt): (Timestamp, Timestamp?)
            switch instance.state {
            case .pending: return nil
            case .firing(let since), .keepingFiring(let since, _): (startsAt, resolvedAt) = (since, nil)
            case .resolved(let since, let at): (startsAt, resolvedAt) = (since, at)
            }
            return Alert(
                labels: settings.externalLabels.setting(instance.labels), annotations: instance.annotations,
                startsAt: startsAt, endsAt: resolvedAt ?? time + validity, isResolved: resolvedAt != nil,
                generatorURL: settings.externalURL + link, value: instance.value)
        }
        sink.send(alerts)
    }
}
