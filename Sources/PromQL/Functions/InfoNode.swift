internal import MetricModel
internal import RE2

/// `info(v, {…})`: adds labels of info metrics to the series of the same `instance` and `job`.
final class InfoNode: PlanNode {
    private static let identifying = ["instance", "job"]
    private static let defaultMetric = "target_info"

    private let input: any PlanNode
    /// Matchers for the names of info metrics.
    private let nameMatchers: [Matcher]
    /// Matchers for the labels to add; if there are none, all labels are added.
    private let dataMatchers: [Matcher]
    private let data: [LabelMatch]
    private let names: [LabelMatch]
    /// The modifiers that determine the time of info series.
    private let reference: [TimeModifiers]

    init(_ input: any PlanNode, matchers: [Matcher]?, reference: [TimeModifiers]) throws(QueryError) {
        self.input = input
        self.reference = reference
        nameMatchers = Self.metrics(matchers?.filter { $0.name == Labels.metricName } ?? [])
        dataMatchers = matchers?.filter { $0.name != Labels.metricName } ?? []
        var data: [LabelMatch] = []
        for matcher in dataMatchers { data.append(try LabelMatch(matcher)) }
        var names: [LabelMatch] = []
        for matcher in nameMatchers { names.append(try LabelMatch(matcher)) }
        self.data = data
        self.names = names
    }

    /// The matchers for the names of info metrics: `target_info` if there are none; every name like an info metric's if
    /// there are only negative ones.
    private static func metrics(_ matchers: [Matcher]) -> [Matcher] {
        if matchers.contains(where: { $0.operation == .equal || $0.operation == .regex }) { return matchers }
        if matchers.isEmpty { return [Matcher(Labels.metricName, .equal, defaultMetric)] }
        return [Matcher(Labels.metricName, .regex, ".+_info")] + matchers
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        let block = try run.evaluate(input, over: grid)
        let isInfo = block.series.labels.map { labels in
            names.allSatisfy { $0.matches(labels[Labels.metricName] ?? "") }
        }
        let infos = try select(block, isInfo, run, over: grid)
        return try run.settled(enriched(block, isInfo, infos))
    }

    // MARK: Finding info series

    /// The info series. Their values are the times of their samples.
    private func select(_ block: Block, _ isInfo: [Bool], _ run: Run, over grid: Grid) throws(QueryError) -> Block {
        // Series with different identifying labels need separate selections: a common one would require every label.
        var groups: [[String]: [Set<String>]] = [:]
        for row in 0..<block.rows where !isInfo[row] {
            let names = Self.identifying.filter { block.series.labels[row][$0] != nil }
            if names.isEmpty { continue }
            for (index, name) in names.enumerated() {
                groups[names, default: Array(repeating: [], count: names.count)][index]
                    .insert(block.series.labels[row][name] ?? "")
            }
        }
        var found: [Block] = []
        for (names, values) in groups.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            let identity = Self.identifying.map { name in
                guard let index = names.firstIndex(of: name) else { return Matcher(name, .equal, "") }
                return Matcher(name, .regex, values[index].sorted().map(Self.quoted).joined(separator: "|"))
            }
            let matchers = nameMatchers + identity + dataMatchers
            let selector = VectorSelector(name: "", matchers: matchers, range: SourceRange(0, 0))
            found.append(try run.evaluate(SelectorNode(selector, field: .age, modifiers: reference), over: grid))
        }
        if found.count == 1 { return found[0] }
        var result = Block(SeriesSet(found.flatMap(\.series.labels)), width: grid.count)
        result.values = found.flatMap(\.values)
        result.kinds = found.flatMap(\.kinds)
        return result
    }

    /// `text` as a pattern that matches only itself.
    private static func quoted(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            if "\\.+*?()|[]{}^$".unicodeScalars.contains(character) { result += "\\" }
            result.unicodeScalars.append(character)
        }
        return result
    }

    // MARK: Joining

    /// The labels that identify an info series.
    private struct Signature: Hashable {
        var metric: String
        var identity: Labels
    }

    private func enriched(_ block: Block, _ isInfo: [Bool], _ infos: Block) throws(QueryError) -> Block {
        let metrics = Set(infos.series.labels.map { $0.metricName ?? "" }).sorted()
        let signatures = infos.series.labels.map {
            Signature(metric: $0.metricName ?? "", identity: $0.keeping(Self.identifying))
        }
        let identities = block.series.labels.map { $0.keeping(Self.identifying) }
        let mayLackInfo = data.allSatisfy { $0.matches("") }
        var rows: [Labels: Int] = [:]
        var labels: [Labels] = []
        var drops: [Bool] = []
        var lastColumn: [Int] = []
        var cells: [(row: Int, column: Int, source: Int)] = []
        for column in 0..<block.width {
            let latest = try latest(infos, signatures, column: column)
            for row in 0..<block.rows where block.kinds[block.cell(row, column)] != Block.Kind.none {
                var result = block.series.labels[row]
                if !isInfo[row] {
                    let found = metrics.compactMap { latest[Signature(metric: $0, identity: identities[row])] }
                    if found.isEmpty && !mayLackInfo { continue }
                    for (name, value) in try additions(found.map { infos.series.labels[$0] }, to: result) {
                        result.set(name, to: value)
                    }
                }
                let target = rows[result] ?? labels.count
                if target == labels.count {
                    rows[result] = target
                    labels.append(result)
                    drops.append(block.series.dropsName(row))
                    lastColumn.append(-1)
                }
                if lastColumn[target] == column {
                    throw .execution("vector cannot contain metrics with the same labelset")
                }
                lastColumn[target] = column
                cells.append((target, column, block.cell(row, column)))
            }
        }
        var result = Block(SeriesSet(labels, dropsName: drops), width: block.width)
        result.histograms = block.histograms
        for (row, column, source) in cells {
            result.values[result.cell(row, column)] = block.values[source]
            result.kinds[result.cell(row, column)] = block.kinds[source]
        }
        return result
    }

    /// The newest info series of each signature.
    private func latest(
        _ infos: Block, _ signatures: [Signature], column: Int
    ) throws(QueryError) -> [Signature: Int] {
        var latest: [Signature: Int] = [:]
        for row in 0..<infos.rows where infos.kinds[infos.cell(row, column)] != Block.Kind.none {
            guard let other = latest[signatures[row]] else {
                latest[signatures[row]] = row
                continue
            }
            let (mine, theirs) = (infos.values[infos.cell(row, column)], infos.values[infos.cell(other, column)])
            if mine == theirs {
                throw .execution(
                    "found duplicate series for info metric: existing \(infos.series.labels[other].setDescription) @ "
                        + "\(Int64(theirs)), new \(infos.series.labels[row].setDescription) @ \(Int64(mine))")
            }
            if mine > theirs { latest[signatures[row]] = row }
        }
        return latest
    }

    private func additions(_ infos: [Labels], to base: Labels) throws(QueryError) -> [String: String] {
        var result: [String: String] = [:]
        for info in infos {
            for label in info.pairs where label.name != Labels.metricName {
                if !data.isEmpty && !data.contains(where: { $0.name == label.name }) { continue }
                if let other = result[label.name], other != label.value {
                    throw .execution("conflicting label: \(label.name)")
                }
                if base[label.name] == nil { result[label.name] = label.value }
            }
        }
        return result
    }
}

/// A matcher that is applied here rather than in a store.
struct LabelMatch {
    let name: String
    private let operation: Matcher.Operation
    private let value: String
    private let pattern: RegularExpression?

    init(_ matcher: Matcher) throws(QueryError) {
        name = matcher.name
        operation = matcher.operation
        value = matcher.value
        guard matcher.operation == .regex || matcher.operation == .notRegex else {
            pattern = nil
            return
        }
        do {
            pattern = try RegularExpression(matcher.value)
        } catch {
            throw .execution(error.description)
        }
    }

    func matches(_ text: String) -> Bool {
        switch operation {
        case .equal: ByteOrder.equal(text, value)
        case .notEqual: !ByteOrder.equal(text, value)
        case .regex: pattern?.matchesWhole(text) ?? false
        case .notRegex: !(pattern?.matchesWhole(text) ?? false)
        }
    }
}
