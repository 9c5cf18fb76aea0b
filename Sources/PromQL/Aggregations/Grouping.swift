internal import MetricModel

/// `by (…)` or `without (…)`.
struct Grouping {
    let names: [String]
    let without: Bool

    /// The labels that are removed from a group, or kept in it.
    private let compared: [String]

    init(names: [String], without: Bool) {
        self.names = names
        self.without = without
        compared = without ? names + [Labels.metricName] : names
    }

    /// The labels of the group that a series belongs to.
    func labels(of series: Labels) -> Labels {
        without ? series.dropping(compared) : names.isEmpty ? .empty : series.keeping(compared)
    }
}

extension Grouping {
    /// The labels that a store must return for series that are only grouped.
    ///
    /// - Parameter dropsNames: whether names are removed before the series are grouped.
    func demand(dropsNames: Bool) -> LabelDemand {
        if without {
            return .groups(
                names: names + (dropsNames ? SeriesSet.reserved : [Labels.metricName]), without: true)
        }
        // A label that was dropped before cannot distinguish groups.
        return .groups(names: dropsNames ? names.filter { !SeriesSet.reserved.contains($0) } : names, without: false)
    }
}

/// The group of each row of a set of series.
final class GroupMap {
    let source: SeriesSet
    /// The groups, in order of first appearance.
    let groups: SeriesSet
    /// The group of each row.
    let group: [UInt32]

    init(_ source: SeriesSet, _ grouping: Grouping) {
        var known: [Labels: Int] = [:]
        var labels: [Labels] = []
        var drops: [Bool] = []
        var group: [UInt32] = []
        group.reserveCapacity(source.count)
        for row in 0..<source.count {
            let key = grouping.labels(of: source.labels[row])
            // Adjacent series are often in the same group.
            if let former = group.last, labels[Int(former)] == key, !source.dropsName(row) {
                group.append(former)
                continue
            }
            let index = known[key] ?? labels.count
            if index == labels.count {
                known[key] = index
                labels.append(key)
                drops.append(false)
            }
            if source.dropsName(row) { drops[index] = true }
            group.append(UInt32(index))
        }
        self.source = source
        self.group = group
        groups = SeriesSet(labels, dropsName: drops)
    }
}
