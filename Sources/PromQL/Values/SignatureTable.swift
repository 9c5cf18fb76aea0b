internal import MetricModel

/// The signatures by which two vectors are matched: a number for each row on both sides.
final class SignatureTable {
    let leftSet: SeriesSet
    let rightSet: SeriesSet
    /// The signature of each row.
    let left: [Int]
    let right: [Int]
    /// The number of distinct signatures.
    let count: Int
    /// The only row of the right side with each signature, -1 for none; `nil` if a signature has several rows.
    let uniqueRight: [Int]?
    /// Whether no signature occurs twice on the left side.
    let isLeftUnique: Bool
    /// The labels that are compared.
    let signature: Signature

    init(_ leftSet: SeriesSet, _ rightSet: SeriesSet, _ matching: VectorMatching) {
        // If only names are ignored, series of one metric all have distinct signatures.
        let areDistinct = leftSet.isOneMetric && !matching.on && matching.labels.isEmpty
        signature = Signature(matching)
        var numbers = Numbers(signature, distinct: areDistinct ? leftSet.labels : [])
        let left =
            areDistinct ? Array(leftSet.labels.indices) : leftSet.labels.map { numbers.number(of: $0) }
        right = rightSet.labels.enumerated().map { row, labels in
            // Two selectors of a metric usually have the same rows.
            row < left.count && leftSet.labels[row] == labels ? left[row] : numbers.number(of: labels)
        }
        self.left = left
        self.leftSet = leftSet
        self.rightSet = rightSet
        count = numbers.count
        uniqueRight = Self.unique(right, count)
        isLeftUnique = Self.unique(left, count) != nil
    }

    func fits(_ left: SeriesSet, _ right: SeriesSet) -> Bool { leftSet === left && rightSet === right }

    private static func unique(_ rows: [Int], _ count: Int) -> [Int]? {
        var result = [Int](repeating: -1, count: count)
        for (row, signature) in rows.enumerated() {
            if result[signature] >= 0 { return nil }
            result[signature] = row
        }
        return result
    }

    /// Signatures, numbered in order of first appearance.
    private struct Numbers {
        private let signature: Signature
        /// The first labels, whose signatures are distinct, until another number is requested.
        private var distinct: [Labels]
        private var known: [Labels: Int] = [:]

        init(_ signature: Signature, distinct: [Labels]) {
            self.signature = signature
            self.distinct = distinct
        }

        var count: Int { distinct.count + known.count }

        mutating func number(of labels: Labels) -> Int {
            if !distinct.isEmpty {
                known.reserveCapacity(distinct.count)
                for (number, labels) in distinct.enumerated() { known[signature(labels)] = number }
                distinct = []
            }
            let next = known.count
            return { (number: inout Int) in number }(&known[signature(labels), default: next])
        }
    }
}

/// The labels of a row that remain after `on` or `ignoring`. Two rows match if these are equal.
struct Signature {
    private let isOn: Bool
    /// The labels that are compared, or ignored.
    private let names: [String]

    init(_ matching: VectorMatching) {
        isOn = matching.on
        names = matching.on ? matching.labels : matching.labels + [Labels.metricName]
    }

    func callAsFunction(_ labels: Labels) -> Labels {
        isOn ? labels.keeping(names) : labels.dropping(names)
    }
}
