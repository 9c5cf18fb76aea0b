internal import MetricModel
internal import RE2

/// `label_replace` and `label_join`: the same samples under other labels.
final class RelabelNode: PlanNode {
    /// The new value of the target label, or `nil` to leave the series alone.
    typealias Value = (Labels) -> String?

    private let target: String
    private let value: Value
    private let input: any PlanNode
    private var former: (source: SeriesSet, result: SeriesSet)?

    init(target: String, input: any PlanNode, value: @escaping Value) {
        self.target = target
        self.input = input
        self.value = value
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        var block = try run.evaluate(input, over: grid)
        if former?.source !== block.series { former = (block.series, relabelled(block.series)) }
        if let former { block.series = former.result }
        return try block.merged()
    }

    private func relabelled(_ set: SeriesSet) -> SeriesSet {
        var labels = set.labels
        var drops = (0..<set.count).map(set.dropsName)
        for row in labels.indices {
            guard let text = value(labels[row]) else { continue }
            labels[row].set(target, to: text)
            if target == Labels.metricName { drops[row] = false }
        }
        return SeriesSet(labels, dropsName: drops)
    }
}
