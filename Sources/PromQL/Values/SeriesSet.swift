internal import MetricModel

/// The series of a block: their labels, and which of them lose their names at the end of the evaluation.
///
/// Immutable and compared by identity: data derived only from a set of series (groups, matches, result labels) are kept
/// with that set, so that they are computed once for all steps and evaluations over the same series. Owned by the
/// evaluation that created it.
final class SeriesSet {
    /// The labels of each row.
    let labels: [Labels]
    /// Whether a row's name is removed at the end; empty if none is. Used only with delayed name removal.
    let dropsName: [Bool]
    /// Whether the rows are known to be distinct series of one metric, which remain distinct without its name.
    let isOneMetric: Bool

    init(_ labels: [Labels], dropsName: [Bool] = [], isOneMetric: Bool = false) {
        self.labels = labels
        self.dropsName = dropsName.contains(true) ? dropsName : []
        self.isOneMetric = isOneMetric
    }

    /// One row without labels, as in a scalar.
    static func nameless() -> SeriesSet { SeriesSet([.empty]) }

    var count: Int { labels.count }

    /// Whether the name of `row` is removed at the end.
    func dropsName(_ row: Int) -> Bool { dropsName.isEmpty ? false : dropsName[row] }

    /// The reserved labels that are removed together with the metric name.
    static let reserved = [Labels.metricName, "__type__", "__unit__"]

    /// The same rows without names: removed now, or marked for removal at the end.
    func withoutNames(delayed: Bool) -> SeriesSet { delayed ? marked : stripped }

    private lazy var marked = SeriesSet(
        labels, dropsName: [Bool](repeating: true, count: labels.count), isOneMetric: isOneMetric)
    private lazy var stripped = SeriesSet(labels.map(Self.droppingReserved), isOneMetric: isOneMetric)
    /// The same rows without `__name__` but with the other reserved labels.
    private(set) lazy var withoutMetricNames = SeriesSet(
        labels.map { $0.dropping(Self.nameOnly) }, isOneMetric: isOneMetric)
    /// The same rows after marked names were removed.
    private(set) lazy var cleaned: SeriesSet =
        dropsName.isEmpty
        ? self
        : SeriesSet(
            labels.indices.map { dropsName[$0] ? Self.droppingReserved(labels[$0]) : labels[$0] },
            isOneMetric: isOneMetric)

    private static let nameOnly = [Labels.metricName]

    private static func droppingReserved(_ labels: Labels) -> Labels { labels.dropping(reserved) }

    /// The rows with a metric name that is not a counter's.
    private(set) lazy var nonCounterNames: [Int] = labels.indices.filter { row in
        guard let name = labels[row].metricName else { return false }
        return !Self.isCounterName(name)
    }

    /// Whether `name` ends like the name of a counter.
    static func isCounterName(_ name: String) -> Bool {
        ["_total", "_sum", "_count", "_bucket"].contains(where: name.hasSuffix)
    }

    /// The rows with a metric name and a type other than counter.
    private(set) lazy var nonCounterTypes: [Int] = labels.indices.filter { row in
        labels[row].metricName != nil && !["counter", "histogram"].contains(labels[row]["__type__"] ?? "")
    }

    /// The rows, sorted by labels.
    private(set) lazy var byLabels: [Int] = labels.indices.sorted { labels[$0] < labels[$1] }

    /// Rows with equal labels, merged: the remaining rows, and the target of each row. `nil` if all labels differ.
    private(set) lazy var merging: (set: SeriesSet, target: [Int])? = {
        if isOneMetric { return nil }
        var first: [Labels: Int] = [:]
        first.reserveCapacity(labels.count)
        var target: [Int] = []
        var kept: [Int] = []
        for row in labels.indices {
            if let known = first[labels[row]] {
                target.append(known)
            } else {
                first[labels[row]] = kept.count
                target.append(kept.count)
                kept.append(row)
            }
        }
        if kept.count == labels.count { return nil }
        let set = SeriesSet(kept.map { labels[$0] }, dropsName: dropsName.isEmpty ? [] : kept.map { dropsName[$0] })
        return (set, target)
    }()
}

/// The rows of a selection as a set of series. The same object while the selection is the same.
struct SelectedSeries {
    private var known: (selection: any SeriesSelection, set: SeriesSet)?

    /// `nil` if the selection has no labels per series.
    mutating func set(of selection: any SeriesSelection) -> SeriesSet? {
        if let known, known.selection === selection { return known.set }
        guard case .each(let labels) = selection.labelling else { return nil }
        let set = SeriesSet(labels, isOneMetric: selection.isOneMetric)
        known = (selection, set)
        return set
    }

    /// The groups of a selection.
    mutating func groups(of selection: any SeriesSelection) -> (set: SeriesSet, group: [UInt32])? {
        guard case .groups(let group, let labels) = selection.labelling else { return nil }
        if let known, known.selection === selection { return (known.set, group) }
        let set = SeriesSet(labels)
        known = (selection, set)
        return (set, group)
    }
}
