internal import MetricModel

/// `and`, `or` and `unless`.
final class SetOperatorNode: PlanNode {
    private let `operator`: BinaryOperator
    private let matching: VectorMatching
    private let left: any PlanNode
    private let right: any PlanNode
    private var table: SignatureTable?
    private var union: SeriesSet?

    init(_ operator: BinaryOperator, _ matching: VectorMatching, left: any PlanNode, right: any PlanNode) {
        self.operator = `operator`
        self.matching = matching
        self.left = left
        self.right = right
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        var left = try run.evaluate(left, over: grid)
        let right = try run.evaluate(right, over: grid)
        if table?.fits(left.series, right.series) != true {
            table = SignatureTable(left.series, right.series, matching)
            union = nil
        }
        guard let table else { return left }
        if self.operator == .or {
            try run.allow(rows: left.rows + right.rows, width: grid.count)
            return try run.settled(joined(left, right, table))
        }
        let present = Self.presence(right, table.right, table.count)
        let keepsPresent = self.operator == .and
        for row in 0..<left.rows {
            let signature = table.left[row] * left.width
            for column in 0..<left.width where present[signature + column] != keepsPresent {
                left.clear(left.cell(row, column))
            }
        }
        return left
    }

    /// Whether a signature has a sample, for each signature and column.
    private static func presence(_ block: Block, _ signatures: [Int], _ count: Int) -> [Bool] {
        var present = [Bool](repeating: false, count: count * block.width)
        for row in 0..<block.rows {
            let signature = signatures[row] * block.width
            for column in 0..<block.width where block.kinds[row * block.width + column] != Block.Kind.none {
                present[signature + column] = true
            }
        }
        return present
    }

    private func joined(_ left: Block, _ right: Block, _ table: SignatureTable) -> Block {
        let set =
            union
            ?? SeriesSet(
                left.series.labels + right.series.labels,
                dropsName: (0..<left.rows).map { left.series.dropsName($0) }
                    + (0..<right.rows).map { right.series.dropsName($0) })
        union = set
        let present = Self.presence(left, table.left, table.count)
        var result = Block(set, width: left.width)
        let offset = left.values.count
        for cell in 0..<offset {
            result.values[cell] = left.values[cell]
            result.kinds[cell] = left.kinds[cell]
        }
        result.histograms = left.histograms + right.histograms
        for row in 0..<right.rows {
            let signature = table.right[row] * right.width
            for column in 0..<right.width where !present[signature + column] {
                let cell = right.cell(row, column)
                let kind = right.kinds[cell]
                result.kinds[offset + cell] = kind
                // The right side's histograms follow the left side's.
                result.values[offset + cell] =
                    right.values[cell] + (kind == Block.Kind.histogram ? Double(left.histograms.count) : 0)
            }
        }
        return result
    }
}
