internal import MetricModel

/// The pairs of series that are made one after the other, each found by comparing its labels with those of the series
/// before.
///
/// Valid under one hold of the index lock, since pairs may go when it is released.
struct PairRun {
    private var former: [Label] = []
    /// The pairs of the latest series, in the order of its labels.
    private(set) var ids: [UInt32] = []
    /// The pair that names the latest series' metric; `nil` where it has no name.
    private(set) var metric: UInt32?

    /// Turns to the next series.
    mutating func advance(
        to labels: Labels, _ make: (Label) -> UInt32, like: (Label, (label: Label, pair: UInt32)) -> UInt32
    ) {
        let before = ids
        ids.removeAll(keepingCapacity: true)
        metric = nil
        for (place, label) in labels.pairs.enumerated() {
            // A label that only some series of a metric have moves the others by one place.
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
