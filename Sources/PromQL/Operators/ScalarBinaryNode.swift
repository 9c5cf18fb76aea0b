internal import MetricModel

/// A binary operator between two scalars.
final class ScalarBinaryNode: PlanNode {
    private let `operator`: BinaryOperator
    private let left: any PlanNode
    private let right: any PlanNode

    init(_ operator: BinaryOperator, left: any PlanNode, right: any PlanNode) {
        self.operator = `operator`
        self.left = left
        self.right = right
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        var result = try run.evaluate(left, over: grid)
        let right = try run.evaluate(right, over: grid)
        for column in result.values.indices {
            result.values[column] = self.operator.applied(to: result.values[column], right.values[column])
        }
        return result
    }
}

/// A binary operator between a vector and a scalar, in either order.
final class VectorScalarNode: PlanNode {
    private let `operator`: BinaryOperator
    private let vector: any PlanNode
    private let scalar: any PlanNode
    /// Whether the scalar is the left operand.
    private let isScalarFirst: Bool
    private let returnsBool: Bool
    private let position: SourceRange

    init(_ binary: Binary, vector: any PlanNode, scalar: any PlanNode, isScalarFirst: Bool) {
        self.operator = binary.operator
        self.vector = vector
        self.scalar = scalar
        self.isScalarFirst = isScalarFirst
        returnsBool = binary.returnsBool
        position = binary.range
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        // The operands are evaluated from left to right.
        var scalars = isScalarFirst ? try run.evaluate(scalar, over: grid).values : []
        var block = try run.evaluate(vector, over: grid)
        if !isScalarFirst { scalars = try run.evaluate(scalar, over: grid).values }
        if block.hasHistograms || self.operator == .trimUpper || self.operator == .trimLower {
            applyToSamples(&block, scalars, run)
        } else {
            applyToFloats(&block, scalars)
        }
        if self.operator.changesMeaning || returnsBool {
            block.series = block.series.withoutNames(delayed: run.options.delayedNameRemoval)
        }
        return try run.settled(block)
    }

    private func applyToFloats(_ block: inout Block, _ scalars: [Double]) {
        let isFilter = self.operator.isComparison && !returnsBool
        for row in 0..<block.rows {
            for column in 0..<block.width {
                let cell = row * block.width + column
                if block.kinds[cell] == Block.Kind.none { continue }
                let (value, scalar) = (block.values[cell], scalars[column])
                let (left, right) = isScalarFirst ? (scalar, value) : (value, scalar)
                if isFilter {
                    if !self.operator.holds(left, right) { block.kinds[cell] = Block.Kind.none }
                } else {
                    block.values[cell] = self.operator.applied(to: left, right)
                }
            }
        }
    }

    private func applyToSamples(_ block: inout Block, _ scalars: [Double], _ run: Run) {
        var operation = ElementOperation(operator: self.operator, run: run, position: position)
        for column in 0..<block.width {
            for row in 0..<block.rows {
                let cell = block.cell(row, column)
                guard let sample = block.sample(at: cell) else { continue }
                let scalar = Sample.float(scalars[column])
                let outcome =
                    isScalarFirst ? operation.apply(scalar, sample) : operation.apply(sample, scalar)
                guard let outcome, outcome.isKept || returnsBool else {
                    block.clear(cell)
                    continue
                }
                if returnsBool {
                    block.set(cell, to: outcome.isKept ? 1 : 0)
                } else if !self.operator.isComparison {
                    block.set(cell, to: outcome.sample)
                }
            }
            operation.endStep()
        }
    }
}

/// A minus sign.
final class NegationNode: PlanNode {
    private let input: any PlanNode

    init(_ input: any PlanNode) {
        self.input = input
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        var block = try run.evaluate(input, over: grid)
        for cell in block.values.indices where block.kinds[cell] == Block.Kind.float {
            block.values[cell] = -block.values[cell]
        }
        for index in block.histograms.indices { block.histograms[index].scale(by: -1) }
        block.series = block.series.withoutNames(delayed: run.options.delayedNameRemoval)
        return run.options.delayedNameRemoval ? block : try block.merged()
    }
}
