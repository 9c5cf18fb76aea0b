internal import MetricModel

/// `scalar(v)`: the only float of a vector, otherwise NaN.
final class ScalarNode: PlanNode {
    private let input: any PlanNode
    private let series = SeriesSet.nameless()

    init(_ input: any PlanNode) {
        self.input = input
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        let block = try run.evaluate(input, over: grid)
        var values = [Double](repeating: .nan, count: grid.count)
        for column in values.indices {
            var found = 0
            for row in 0..<block.rows where block.kinds[block.cell(row, column)] == Block.Kind.float {
                found += 1
                values[column] = block.values[block.cell(row, column)]
            }
            if found != 1 { values[column] = .nan }
        }
        return Block(scalar: values, series: series)
    }
}

/// `min_of` and `max_of`.
final class ExtremeOfNode: PlanNode {
    private let left: any PlanNode
    private let right: any PlanNode
    private let choose: (Double, Double) -> Double

    init(_ left: any PlanNode, _ right: any PlanNode, choose: @escaping (Double, Double) -> Double) {
        self.left = left
        self.right = right
        self.choose = choose
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        var result = try run.evaluate(left, over: grid)
        let right = try run.evaluate(right, over: grid)
        for column in result.values.indices {
            result.values[column] = choose(result.values[column], right.values[column])
        }
        return result
    }
}

/// `absent(v)`: 1 if a vector is empty.
final class AbsentNode: PlanNode {
    private let input: any PlanNode
    private let series: SeriesSet

    /// - Parameter matchers: those of a plain selector, otherwise none.
    init(_ input: any PlanNode, matchers: [Matcher]) {
        self.input = input
        series = SeriesSet([Self.labels(matchers: matchers)])
    }

    /// The labels that a missing series would have: those with exactly one `=` matcher.
    static func labels(matchers: [Matcher]) -> Labels {
        var result = Labels.empty
        var seen: Set<String> = []
        for matcher in matchers where matcher.name != Labels.metricName {
            if matcher.operation == .equal && seen.insert(matcher.name).inserted {
                result.set(matcher.name, to: matcher.value)
            } else {
                result.remove(matcher.name)
            }
        }
        return result
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        let block = try run.evaluate(input, over: grid)
        var result = Block(series, width: grid.count)
        for column in 0..<grid.count {
            let isThere = (0..<block.rows).contains { block.kinds[block.cell($0, column)] != Block.Kind.none }
            if !isThere { result.set(column, to: 1) }
        }
        return result
    }
}

/// `timestamp(v)` of anything except a plain selector: the evaluation time.
final class EvaluationTimeNode: PlanNode {
    private let input: any PlanNode

    init(_ input: any PlanNode) {
        self.input = input
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        var block = try run.evaluate(input, over: grid)
        for row in 0..<block.rows {
            for column in 0..<block.width where block.kinds[block.cell(row, column)] != Block.Kind.none {
                block.set(block.cell(row, column), to: Double(grid.time(column)) / 1000)
            }
        }
        block.series = block.series.withoutNames(delayed: run.options.delayedNameRemoval)
        return try run.settled(block)
    }
}

/// A vector without metric names, for `timestamp(x)` of a plain selector.
final class NamelessNode: PlanNode {
    private let input: any PlanNode

    init(_ input: any PlanNode) {
        self.input = input
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        var block = try run.evaluate(input, over: grid)
        block.series = block.series.withoutNames(delayed: run.options.delayedNameRemoval)
        return try run.settled(block)
    }
}

/// A vector that is always empty.
final class EmptyNode: PlanNode {
    private let series = SeriesSet([])

    func evaluate(_ run: Run, over grid: Grid) -> Block { Block(series, width: grid.count) }
}
