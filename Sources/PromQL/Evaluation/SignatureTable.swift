internal import MetricModel

/// What two vectors are matched by: the signature of every row on both sides, as numbers.
final class SignatureTable {
    let leftSet: SeriesSet
    let rightSet: SeriesSet
    /// The signature of each row.
    let left: [Int]
    let right: [Int]
    /// The number of different signatures.
    let count: Int
    /// The only row of the right side with each signature, -1 for none; `nil` where one has several.
    let uniqueRight: [Int]?
    /// Whether no signature occurs twice on the left side.
    let isLeftUnique: Bool
    private let matching: VectorMatching

    init(_ leftSet: SeriesSet, _ rightSet: SeriesSet, _ matching: VectorMatching) {
        var numbers: [Labels: Int] = [:]
        func signatures(_ set: SeriesSet) -> [Int] {
            set.labels.map { labels in
                let key = Self.signature(labels, matching)
                let number = numbers[key] ?? numbers.count
                numbers[key] = number
                return number
            }
        }
        self.leftSet = leftSet
        self.rightSet = rightSet
        self.matching = matching
        left = signatures(leftSet)
        right = signatures(rightSet)
        count = numbers.count
        uniqueRight = Self.unique(right, count)
        isLeftUnique = Self.unique(left, count) != nil
    }

    func fits(_ left: SeriesSet, _ right: SeriesSet) -> Bool { leftSet === left && rightSet === right }

    /// The labels that are compared.
    static func signature(_ labels: Labels, _ matching: VectorMatching) -> Labels {
        matching.on
            ? labels.keeping(matching.labels) : labels.dropping(matching.labels + [Labels.metricName])
    }

    private static func unique(_ rows: [Int], _ count: Int) -> [Int]? {
        var result = [Int](repeating: -1, count: count)
        for (row, signature) in rows.enumerated() {
            if result[signature] >= 0 { return nil }
            result[signature] = row
        }
        return result
    }
}
