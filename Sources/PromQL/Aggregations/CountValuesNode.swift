internal import MetricModel

/// `count_values`: the number of occurrences of each value in each group, with the value as a label.
final class CountValuesNode: PlanNode {
    private let label: String
    private let grouping: Grouping
    private let input: any PlanNode

    init(_ aggregate: Aggregate, label: String, input: any PlanNode) {
        self.label = label
        self.input = input
        grouping = Grouping(
            names: aggregate.without ? aggregate.grouping : aggregate.grouping + [label], without: aggregate.without)
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        let block = try run.evaluate(input, over: grid)
        var rows: [Labels: Int] = [:]
        var labels: [Labels] = []
        var counts: [[Double]] = []
        for row in 0..<block.rows {
            if row & 7 == 7 { try run.check() }
            for column in 0..<block.width {
                let text: String
                switch block.sample(at: block.cell(row, column)) {
                case nil: continue
                case .float(let value): text = NumberText.plain(value)
                case .histogram(let histogram): text = histogram.description
                }
                let key = grouping.labels(of: block.series.labels[row].setting(label, to: text))
                let target = rows[key] ?? labels.count
                if target == labels.count {
                    rows[key] = target
                    labels.append(key)
                    counts.append([Double](repeating: 0, count: block.width))
                    try run.hold(block.width)
                }
                counts[target][column] += 1
            }
        }
        var result = Block(SeriesSet(labels), width: grid.count)
        for (row, counts) in counts.enumerated() {
            for (column, count) in counts.enumerated() where count > 0 {
                result.set(result.cell(row, column), to: count)
            }
        }
        return result
    }
}
