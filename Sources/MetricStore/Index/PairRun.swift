internal import MetricModel

/// The pairs of series that are created one after the other. Each is found by comparison with the labels of the
/// previous series.
///
/// Valid until the index lock is released, because pairs may be removed then.
struct PairRun {
    private var former: [Label] = []
    /// The pairs of the last series, in the order of its labels.
    private(set) var ids: [UInt32] = []
    /// The pair with the metric name of the last series; `nil` if it has no name.
    private(set) var metric: UInt32?

    /// Advances to the next series.
    mutating func advance(
        to labels: Labels, _ make: (Label) -> UInt32, like: (Label, (label: Label, pair: UInt32)) -> UInt32
    ) {
        let before = ids
        ids.removeAll(keepingCapacity: true)
        metric = nil
        for (place, label) in labels.pairs.enumerated() {
            // A label that only some series of a metric have shifts the others by one.
            let near = place < former.count && ByteOrder.equal(former[place].name, label.name) ? place : place - 1
            let pair =
                former.indices.contains(near)
                ? like(label, (former[near], before[near])) : make(label)
            ids.append(pair)
            if ByteOrder.equal(label.name, Labels.metricName) { metric = pair }
        }
        former = labels.pairs
    }
}
