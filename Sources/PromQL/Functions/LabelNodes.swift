internal import MetricModel
internal import RE2

/// `label_replace` and `label_join`: the same samples under other labels.
final class RelabelNode: PlanNode {
    /// The new value of the target label, or `nil` to leave the series alone. More than `longest` bytes need not be
    /// complete.
    typealias Value = (Labels) -> String?

    /// Most bytes of a label's value. Where values are put together over and over, they would soon fill the memory.
    static let longest = 1 << 20

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
        if former?.source !== block.series { former = (block.series, try relabelled(block.series, run)) }
        if let former { block.series = former.result }
        return try block.merged()
    }

    private func relabelled(_ set: SeriesSet, _ run: Run) throws(QueryError) -> SeriesSet {
        var labels = set.labels
        var drops = (0..<set.count).map(set.dropsName)
        for row in labels.indices {
            guard let text = value(labels[row]) else { continue }
            guard text.utf8.count <= Self.longest else {
                throw .execution("label value is longer than \(Self.longest) bytes")
            }
            try run.keep(text: text.utf8.count)
            labels[row].set(target, to: text)
            if target == Labels.metricName { drops[row] = false }
        }
        return SeriesSet(labels, dropsName: drops)
    }
}
