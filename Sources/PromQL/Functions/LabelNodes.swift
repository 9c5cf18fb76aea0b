internal import MetricModel
internal import RE2

/// `label_replace` and `label_join`: the same samples with other labels.
final class RelabelNode: PlanNode {
    /// The new value of the target label; `nil` leaves the series unchanged. A value with more than `longest` bytes may
    /// be incomplete.
    typealias Value = (Labels) -> String?

    /// Limit of the bytes of a label value. Repeated concatenation would otherwise exhaust the memory.
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
