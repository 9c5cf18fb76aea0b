internal import GoTemplate
public import MetricModel
internal import PromQL
public import RuleModel

/// The state of one rule between evaluations. A pure machine.
public struct RuleState: Equatable, Sendable {
    /// Whether the last evaluation succeeded.
    public internal(set) var health = RuleHealth.unknown
    /// The error of the last evaluation; empty if it succeeded.
    public internal(set) var lastError = ""
    /// Seconds the last evaluation took.
    public internal(set) var evaluationSeconds = 0.0
    /// The time of the last evaluation; `nil` before the first.
    public internal(set) var lastEvaluation: Timestamp?
    /// The alerts, for an alerting rule.
    public internal(set) var alerts = AlertSet()
    /// Whether the state of alerts before a restart was restored. Until then no series are written.
    public internal(set) var isRestored = false
    /// The series that the last evaluation stored.
    private(set) var stored: Set<Labels> = []
    /// The same series in order, with the elements from which a recording rule made them.
    private var order: [Labels] = []
    var recorded = RecordedSeries()

    /// A rule that was never evaluated.
    public init() {}

    /// Takes the samples of an evaluation, and returns them with a staleness marker for each series that ended.
    mutating func storing(_ samples: [RuleSample]) -> [RuleSample] {
        // Usually the labels are the same objects in the same order, which a cheap comparison detects.
        if samples.count == order.count, zip(samples, order).allSatisfy({ $0.labels == $1 }) { return samples }
        order = samples.map(\.labels)
        let now = Set(order)
        defer { stored = now }
        if now == stored { return samples }
        let gone = stored.subtracting(now).sorted()
        return samples + gone.map { RuleSample(labels: $0, value: .staleMarker) }
    }
}

/// The elements of a rule's result. A scalar counts as one element without labels.
func ruleElements(of value: QueryValue, at time: Timestamp) throws(RuleFailure) -> [VectorElement] {
    switch value {
    case .vector(let elements): return elements
    case .scalar(let number, _): return [VectorElement(labels: .empty, timestamp: time, value: number)]
    case .string, .matrix: throw RuleFailure("rule result is not a vector or scalar")
    }
}

/// The series that a recording rule made from the elements of its last result.
struct RecordedSeries: Equatable, Sendable {
    fileprivate var elements: [Labels] = []
    fileprivate var series: [Labels] = []

    fileprivate func holds(for elements: [VectorElement]) -> Bool {
        elements.count == self.elements.count && zip(elements, self.elements).allSatisfy { $0.labels == $1 }
    }
}

extension RecordingRule {
    /// The samples to store for the elements of the result. `limit` is the group's limit; 0 for none.
    ///
    /// - Parameter recorded: the series made from the last result. They are reused while the labels of the elements are
    ///   unchanged.
    func samples(
        for elements: [VectorElement], limit: Int, recorded: inout RecordedSeries
    ) throws(RuleFailure) -> [RuleSample] {
        if !recorded.holds(for: elements) {
            recorded = RecordedSeries()
            let series = try series(for: elements)
            recorded = RecordedSeries(elements: elements.map(\.labels), series: series)
        }
        guard limit <= 0 || elements.count <= limit else {
            throw RuleFailure("exceeded limit of \(limit) with \(elements.count) series")
        }
        return zip(elements, recorded.series).map { element, series in
            RuleSample(labels: series, value: element.value, histogram: element.histogram)
        }
    }

    private func series(for elements: [VectorElement]) throws(RuleFailure) -> [Labels] {
        var known = Set<Labels>(minimumCapacity: elements.count)
        var result: [Labels] = []
        result.reserveCapacity(elements.count)
        for element in elements {
            var series = element.labels
            series.set(Labels.metricName, to: name)
            for label in labels { series.set(label.name, to: label.value) }
            guard known.insert(series).inserted else {
                throw RuleFailure("vector contains metrics with the same labelset after applying rule labels")
            }
            result.append(series)
        }
        return result
    }
}

extension AlertingRule {
    /// The alerts for the elements of the result, with labels and annotations expanded.
    func elements(
        for elements: [VectorElement], settings: RuleSettings, functions: PrometheusFunctions
    ) -> [AlertSet.Element] {
        elements.map { element in
            let seen = AlertTemplate.Element(
                labels: element.labels, externalLabels: settings.externalLabels, externalURL: settings.externalURL,
                value: element.histogram.map { .histogram(String(describing: $0)) } ?? .number(element.value))
            var identity = element.labels
            identity.remove(Labels.metricName)
            for label in labels {
                identity.set(label.name, to: label.template.expand(for: seen, functions: functions))
            }
            identity.set("alertname", to: name)
            let texts = annotations.map { Label($0.name, $0.template.expand(for: seen, functions: functions)) }
            return AlertSet.Element(labels: identity, annotations: Labels(texts), value: element.value)
        }
    }
}

extension RollbackQuery {
    /// The elements that count: those that satisfy minimum samples and guard.
    ///
    /// An element of `minimum` or `guards` matches a measured element if they agree on every label that both have. All
    /// matching elements of `minimum` are added up. For `guards`, one matching element other than zero is enough. `nil`
    /// is always satisfied.
    func measurements(
        of elements: [VectorElement], minimum: [VectorElement]?, guards: [VectorElement]?
    ) -> [RollbackMeasurement.Element] {
        elements.map { element in
            let labels = element.labels.dropping([Labels.metricName])
            let amount = minimum.map { all in
                all.lazy.filter { agree($0.labels, labels) && !$0.value.isNaN }.reduce(0) { $0 + $1.value }
            }
            let isEnough = amount.map { $0 >= definition.minimumSamples?.value ?? 0 } ?? true
            let isGuarded =
                guards.map { all in
                    all.contains { agree($0.labels, labels) && $0.value != 0 && !$0.value.isNaN }
                } ?? true
            return RollbackMeasurement.Element(
                labels: labels, value: element.value, counts: isEnough && isGuarded)
        }.sorted { $0.labels < $1.labels }
    }

    /// Whether an element that counts meets the trip condition.
    func isViolated(by elements: [RollbackMeasurement.Element]) -> Bool {
        elements.contains { $0.counts && definition.trip.holds(for: $0.value) }
    }

    /// Gives each violation its annotations.
    func annotate(
        _ elements: inout [RollbackMeasurement.Element], settings: RuleSettings, functions: PrometheusFunctions
    ) {
        if annotations.isEmpty { return }
        for index in elements.indices where definition.trip.holds(for: elements[index].value) {
            let element = AlertTemplate.Element(
                labels: elements[index].labels, externalLabels: settings.externalLabels,
                externalURL: settings.externalURL, value: .number(elements[index].value))
            elements[index].annotations = Labels(
                annotations.map { Label($0.name, $0.template.expand(for: element, functions: functions)) })
        }
    }

    /// Gives each element the time of the newest sample that it rests on.
    ///
    /// - Parameter times: the results of ``PromQL/Expression/newestSampleTimes``, in seconds.
    func date(_ elements: inout [RollbackMeasurement.Element], by times: [VectorElement]) {
        let newest = times.map(\.value).max()
        // For very many series, the newest time of all is used for each, to bound the cost.
        let isLarge = !elements.isEmpty && times.count > 1_000_000 / elements.count
        for index in elements.indices {
            let labels = elements[index].labels
            // Also for an element whose labels no series has.
            let own = isLarge ? nil : times.lazy.filter { agree($0.labels, labels) }.map(\.value).max()
            elements[index].sampledAt = (own ?? newest).map { Timestamp(milliseconds: Int64(($0 * 1000).rounded())) }
        }
    }

    private func agree(_ left: Labels, _ right: Labels) -> Bool {
        left.pairs.allSatisfy { pair in
            guard pair.name != Labels.metricName, let other = right[pair.name] else { return true }
            return ByteOrder.equal(pair.value, other)
        }
    }
}
