internal import MetricModel

/// An arithmetic or comparison operator between two vectors.
final class VectorBinaryNode: PlanNode {
    private let `operator`: BinaryOperator
    private let matching: VectorMatching
    private let returnsBool: Bool
    private let position: SourceRange
    private let left: any PlanNode
    private let right: any PlanNode
    private var table: SignatureTable?
    private var pairing: Pairing?

    /// The matched rows, if they are the same at every step, with the labels of the results.
    private struct Pairing {
        var pairs: [(many: Int, one: Int)]
        var series: SeriesSet
    }

    init(_ binary: Binary, _ matching: VectorMatching, left: any PlanNode, right: any PlanNode) {
        self.operator = binary.operator
        self.matching = matching
        returnsBool = binary.returnsBool
        position = binary.range
        self.left = left
        self.right = right
    }

    /// Whether the left operand is the "many" side.
    private var manyIsLeft: Bool { matching.cardinality != .oneToMany }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        let left = try run.evaluate(left, over: grid)
        let right = try run.evaluate(right, over: grid)
        let (many, one) = manyIsLeft ? (left, right) : (right, left)
        if table?.fits(many.series, one.series) != true {
            let table = SignatureTable(many.series, one.series, matching)
            self.table = table
            pairing = fixedPairing(table, run)
        }
        guard let table else { return left }
        if let pairing {
            return try many.hasHistograms || one.hasHistograms
                ? sampleResults(many, one, pairing, run) : floatResults(many, one, pairing, run)
        }
        return try run.settled(steps(many, one, table, run))
    }

    private func result(_ operation: inout ElementOperation, _ many: Sample, _ one: Sample) -> ElementOperation.Outcome?
    {
        guard var outcome = manyIsLeft ? operation.apply(many, one) : operation.apply(one, many) else { return nil }
        if returnsBool { outcome.sample = .float(outcome.isKept ? 1 : 0) }
        return outcome
    }
}

// MARK: Matches that are the same at every step

extension VectorBinaryNode {
    /// The matches, if no signature has several candidates and the results have distinct labels.
    private func fixedPairing(_ table: SignatureTable, _ run: Run) -> Pairing? {
        guard let partner = table.uniqueRight, matching.fillLeft == nil, matching.fillRight == nil,
            matching.cardinality != .oneToOne || table.isLeftUnique
        else { return nil }
        let pairs = table.left.indices.compactMap { row in
            let one = partner[table.left[row]]
            return one < 0 ? nil : (many: row, one: one)
        }
        let labels = pairs.map { resultLabels(table.leftSet.labels[$0.many], table.rightSet.labels[$0.one], run) }
        let series = SeriesSet(labels, dropsName: returnsBool ? labels.map { _ in true } : [])
        return series.merging == nil ? Pairing(pairs: pairs, series: series) : nil
    }

    private func floatResults(_ many: Block, _ one: Block, _ pairing: Pairing, _ run: Run) throws(QueryError) -> Block {
        var result = try Block(pairing.series, width: many.width, run)
        let isFilter = self.operator.isComparison && !returnsBool
        for (row, pair) in pairing.pairs.enumerated() {
            if row & 63 == 63 { try run.check() }
            for column in 0..<many.width {
                let manyCell = pair.many * many.width + column
                let oneCell = pair.one * many.width + column
                if many.kinds[manyCell] == Block.Kind.none || one.kinds[oneCell] == Block.Kind.none { continue }
                let (first, second) = (many.values[manyCell], one.values[oneCell])
                let (left, right) = manyIsLeft ? (first, second) : (second, first)
                let cell = row * many.width + column
                if isFilter {
                    if !self.operator.holds(left, right) { continue }
                    result.values[cell] = left
                } else {
                    result.values[cell] = self.operator.applied(to: left, right)
                }
                result.kinds[cell] = Block.Kind.float
            }
        }
        return result
    }

    private func sampleResults(_ many: Block, _ one: Block, _ pairing: Pairing, _ run: Run) -> Block {
        var block = Block(pairing.series, width: many.width)
        var operation = ElementOperation(operator: self.operator, run: run, position: position)
        for column in 0..<many.width {
            for (row, pair) in pairing.pairs.enumerated() {
                guard let first = many.sample(at: many.cell(pair.many, column)),
                    let second = one.sample(at: one.cell(pair.one, column)),
                    let outcome = result(&operation, first, second), outcome.isKept || returnsBool
                else { continue }
                block.set(block.cell(row, column), to: outcome.sample)
            }
            operation.endStep()
        }
        return block
    }

    /// The labels of the result of two matched rows.
    fileprivate func resultLabels(_ many: Labels, _ one: Labels, _ run: Run) -> Labels {
        var labels = many
        if self.operator.changesMeaning { for name in SeriesSet.reserved { labels.remove(name) } }
        if matching.cardinality == .oneToOne {
            labels = matching.on ? labels.keeping(matching.labels) : labels.dropping(matching.labels)
        }
        for name in matching.include { labels.set(name, to: one[name] ?? "") }
        if returnsBool && !run.options.delayedNameRemoval {
            for name in SeriesSet.reserved { labels.remove(name) }
        }
        return labels
    }
}

// MARK: Matches that are found at each step

extension VectorBinaryNode {
    /// The rows of results, added when pairs of rows match.
    private struct Results {
        var rows: [Pair: Int] = [:]
        var labels: [Labels] = []
        var columns: [[(column: Int, sample: Sample)]] = []
    }

    /// Two matched rows; -1 for a filled-in value.
    private struct Pair: Hashable {
        var many: Int
        var one: Int
    }

    private func steps(_ many: Block, _ one: Block, _ table: SignatureTable, _ run: Run) throws(QueryError) -> Block {
        var results = Results()
        for column in 0..<many.width {
            if column & 15 == 15 { try run.check() }
            try step(column, many, one, table, &results, run)
        }
        let drops = returnsBool ? results.labels.map { _ in true } : []
        var block = try Block(SeriesSet(results.labels, dropsName: drops), width: many.width, run)
        for (row, samples) in results.columns.enumerated() {
            for (column, sample) in samples { block.set(block.cell(row, column), to: sample) }
        }
        return block
    }

    private func step(
        _ column: Int, _ many: Block, _ one: Block, _ table: SignatureTable, _ results: inout Results, _ run: Run
    ) throws(QueryError) {
        let manyRows = (0..<many.rows).filter { many.kinds[many.cell($0, column)] != Block.Kind.none }
        let oneRows = (0..<one.rows).filter { one.kinds[one.cell($0, column)] != Block.Kind.none }
        // Prometheus uses the right side's value for a missing "one" side even if the "one" side is on the left.
        let fillsOne = matching.fillRight
        let fillsMany = matching.fillLeft
        if manyRows.isEmpty && oneRows.isEmpty { return }
        if (manyRows.isEmpty || oneRows.isEmpty) && fillsOne == nil && fillsMany == nil { return }
        let partner = try partners(oneRows, table)
        var operation = ElementOperation(operator: self.operator, run: run, position: position)
        defer { operation.endStep() }
        var matched = [Bool](repeating: false, count: table.count)
        var seen: Set<MatchedResult> = []
        for row in manyRows {
            guard let first = many.sample(at: many.cell(row, column)) else { continue }
            let signature = table.left[row]
            let other = partner[signature]
            let second: Sample
            if other >= 0, let sample = one.sample(at: one.cell(other, column)) {
                second = sample
            } else if let fillsOne {
                second = .float(fillsOne)
            } else {
                continue
            }
            try put(
                Pair(many: row, one: other), result(&operation, first, second), column, signature, table, &matched,
                &seen, &results, run)
        }
        guard let fillsMany else { return }
        for other in oneRows where !matched[table.right[other]] {
            guard let second = one.sample(at: one.cell(other, column)) else { continue }
            try put(
                Pair(many: -1, one: other), result(&operation, .float(fillsMany), second), column,
                table.right[other], table, &matched, &seen, &results, run)
        }
    }

    /// Result labels of a signature at a step.
    private struct MatchedResult: Hashable {
        var signature: Int
        var labels: Labels
    }

    /// The row of the "one" side for each signature, -1 for none.
    private func partners(_ rows: [Int], _ table: SignatureTable) throws(QueryError) -> [Int] {
        var partner = [Int](repeating: -1, count: table.count)
        for row in rows {
            let signature = table.right[row]
            if partner[signature] >= 0 {
                let labels = table.rightSet.labels
                let group = table.signature(labels[row])
                let pair = "\(labels[row].setDescription), \(labels[partner[signature]].setDescription)"
                throw .execution(
                    "found duplicate series for the match group \(group.setDescription) on the "
                        + "\(manyIsLeft ? "right" : "left") hand-side of the operation: [\(pair)];many-to-many "
                        + "matching not allowed: matching labels must be unique on one side")
            }
            partner[signature] = row
        }
        return partner
    }

    private func put(
        _ pair: Pair, _ outcome: ElementOperation.Outcome?, _ column: Int, _ signature: Int, _ table: SignatureTable,
        _ matched: inout [Bool], _ seen: inout Set<MatchedResult>, _ results: inout Results, _ run: Run
    ) throws(QueryError) {
        guard let outcome else { return }
        let labels = results.rows[pair].map { results.labels[$0] } ?? labels(of: pair, table, run)
        if matching.cardinality == .oneToOne {
            if matched[signature] {
                throw .execution(
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)")
            }
        } else if !seen.insert(MatchedResult(signature: signature, labels: labels)).inserted {
            throw .execution("multiple matches for labels: grouping labels must ensure unique matches")
        }
        matched[signature] = true
        guard outcome.isKept || returnsBool else { return }
        let row = results.rows[pair] ?? results.labels.count
        if row == results.labels.count {
            results.rows[pair] = row
            results.labels.append(labels)
            results.columns.append([])
        }
        try run.hold(1)
        results.columns[row].append((column, outcome.sample))
    }

    private func labels(of pair: Pair, _ table: SignatureTable, _ run: Run) -> Labels {
        // A filled-in side has only the compared labels.
        let many =
            pair.many < 0
            ? table.signature(table.rightSet.labels[pair.one]) : table.leftSet.labels[pair.many]
        let one =
            pair.one < 0
            ? table.signature(table.leftSet.labels[pair.many]) : table.rightSet.labels[pair.one]
        return resultLabels(many, one, run)
    }
}
