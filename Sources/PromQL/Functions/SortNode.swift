internal import MetricModel

/// `sort`, `sort_desc`, `sort_by_label` and `sort_by_label_desc`. Only instant queries have an order.
final class SortNode: PlanNode {
    enum Key {
        case value
        /// By these labels in natural order (`a2` before `a10`), then by all labels.
        case labels([String])
    }

    private let key: Key
    private let isDescending: Bool
    private let input: any PlanNode
    private let position: SourceRange

    init(_ key: Key, isDescending: Bool, input: any PlanNode, position: SourceRange) {
        self.key = key
        self.isDescending = isDescending
        self.input = input
        self.position = position
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        var block = try run.evaluate(input, over: grid)
        if case .value = key {
            for cell in block.kinds.indices where block.kinds[cell] == Block.Kind.histogram { block.clear(cell) }
        }
        guard grid.isInstant else {
            run.warn(
                "sort is ineffective for range queries since results are always ordered by labels", at: position)
            return block
        }
        let rows = (0..<block.rows).filter { block.kinds[$0] != Block.Kind.none }
        let order: [Int]
        switch key {
        case .value:
            let values = block.values
            order = rows.sorted { first, second in
                let (left, right) = (values[first], values[second])
                if left.isNaN || right.isNaN { return left.isNaN == right.isNaN ? first < second : right.isNaN }
                return left == right ? first < second : isDescending ? left > right : left < right
            }
        case .labels(let names):
            let labels = block.series.labels
            order = rows.sorted { first, second in
                let comparison = Self.compare(labels[first], labels[second], by: names)
                return isDescending ? comparison > 0 : comparison < 0
            }
        }
        let series = SeriesSet(
            order.map { block.series.labels[$0] }, dropsName: order.map { block.series.dropsName($0) },
            isOneMetric: block.series.isOneMetric)
        return block.selecting(order, series: series)
    }

    private static func compare(_ left: Labels, _ right: Labels, by names: [String]) -> Int {
        for name in names {
            let order = NaturalOrder.compare(left[name] ?? "", right[name] ?? "")
            if order != 0 { return order }
        }
        return left == right ? 0 : left < right ? -1 : 1
    }
}

/// Natural order: runs of digits compare as numbers.
enum NaturalOrder {
    static func compare(_ left: String, _ right: String) -> Int {
        let (first, second) = (Array(left.utf8), Array(right.utf8))
        if first == second { return 0 }
        var (i, j) = (0, 0)
        while i < first.count && j < second.count {
            let (one, other) = (chunk(first, i), chunk(second, j))
            let order = compareChunks(first[one], second[other])
            if order != 0 { return order }
            i = one.upperBound
            j = other.upperBound
        }
        if i < first.count { return 1 }
        if j < second.count { return -1 }
        return first.lexicographicallyPrecedes(second) ? -1 : 1
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    private static func chunk(_ bytes: [UInt8], _ start: Int) -> Range<Int> {
        let kind = isDigit(bytes[start])
        let end = bytes[start...].firstIndex { isDigit($0) != kind } ?? bytes.count
        return start..<end
    }

    private static func compareChunks(_ left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8>) -> Int {
        if isDigit(left[left.startIndex]) && isDigit(right[right.startIndex]) {
            let (first, second) = (left.drop { $0 == 0x30 }, right.drop { $0 == 0x30 })
            if first.count != second.count { return first.count < second.count ? -1 : 1 }
            if first.elementsEqual(second) { return 0 }
            return first.lexicographicallyPrecedes(second) ? -1 : 1
        }
        if left.elementsEqual(right) { return 0 }
        return left.lexicographicallyPrecedes(right) ? -1 : 1
    }
}
