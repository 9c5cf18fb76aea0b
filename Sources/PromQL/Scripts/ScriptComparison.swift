internal import MetricModel

/// Compares actual with expected results.
enum ScriptComparison {
    private static let tolerance = 1e-6

    /// Whether two numbers are equal except for rounding errors: a relative difference below 1e-6. NaN equals NaN, the
    /// staleness marker equals only itself, and 0 only 0.
    static func equal(_ left: Double, _ right: Double) -> Bool {
        if left.isStaleMarker || right.isStaleMarker { return left.isStaleMarker && right.isStaleMarker }
        if left.isNaN && right.isNaN { return true }
        if left == right { return true }
        let sum = left.magnitude + right.magnitude
        let difference = (left - right).magnitude
        let smallest = Double.leastNormalMagnitude
        if left == 0 || right == 0 || sum < smallest { return difference < tolerance * smallest }
        return difference / min(sum, .greatestFiniteMagnitude) < tolerance
    }

    /// Whether two histograms are equal. Empty buckets are ignored, and so is the hint if none is expected.
    static func equal(_ left: FloatHistogram, _ right: FloatHistogram, comparingHint: Bool) -> Bool {
        left.schema == right.schema && left.zeroThreshold == right.zeroThreshold
            && left.customValues == right.customValues && equal(left.count, right.count)
            && equal(left.sum, right.sum) && equal(left.zeroCount, right.zeroCount)
            && equal(left.positiveSpans, left.positiveBuckets, right.positiveSpans, right.positiveBuckets)
            && equal(left.negativeSpans, left.negativeBuckets, right.negativeSpans, right.negativeBuckets)
            && (!comparingHint || left.counterResetHint == right.counterResetHint)
    }

    private static func equal(
        _ leftSpans: [FloatHistogram.Span], _ left: [Double], _ rightSpans: [FloatHistogram.Span], _ right: [Double]
    ) -> Bool {
        let left = FloatHistogram.occupied(leftSpans, left)
        let right = FloatHistogram.occupied(rightSpans, right)
        return left.count == right.count
            && zip(left, right).allSatisfy { $0.index == $1.index && equal($0.count, $1.count) }
    }

    // MARK: Instant vectors

    static func compare(
        _ elements: [VectorElement], with rows: [SeriesNotation], isOrdered: Bool
    ) throws(ScriptFault) {
        var expected: [Labels: (position: Int, value: SeriesNotation.Value)] = [:]
        for (position, row) in rows.enumerated() { expected[row.labels] = (position, row.values.first ?? .missing) }
        var seen: Set<Labels> = []
        for (position, element) in elements.enumerated() {
            guard let row = expected[element.labels] else {
                throw ScriptFault("unexpected \(element.labels) in result, has value \(text(element))")
            }
            guard seen.insert(element.labels).inserted else {
                throw ScriptFault("\(element.labels) is in the result twice")
            }
            guard !isOrdered || row.position == position else {
                throw ScriptFault(
                    "expected \(element.labels) at position \(row.position + 1), it is at \(position + 1)")
            }
            try compare(element.value, element.histogram, with: row.value, "for \(element.labels)")
        }
        if let missing = rows.first(where: { !seen.contains($0.labels) }) {
            throw ScriptFault("expected \(missing.labels) \(text(missing.values)), it is not in the result")
        }
    }

    private static func compare(
        _ value: Double, _ histogram: FloatHistogram?, with expected: SeriesNotation.Value, _ place: String
    ) throws(ScriptFault) {
        let isEqual =
            switch (expected, histogram) {
            case (.float(let number), nil): equal(number, value)
            case (.histogram(let wanted, let hasHint), let histogram?):
                equal(wanted, histogram, comparingHint: hasHint)
            default: false
            }
        guard isEqual else {
            throw ScriptFault("expected \(text([expected])) \(place), got \(text(value, histogram))")
        }
    }

    // MARK: Matrices

    /// Compares points. Value *i* of a row is expected at `start` + *i* · `step`.
    static func compare(
        _ series: [SeriesSamples], with rows: [SeriesNotation], start: Timestamp, step: Milliseconds
    ) throws(ScriptFault) {
        let expected = Dictionary(rows.map { ($0.labels, $0.values) }, uniquingKeysWith: { $1 })
        for found in series {
            guard let values = expected[found.labels] else {
                throw ScriptFault("unexpected \(found.labels) in result, has \(text(found))")
            }
            let wanted = values.enumerated().filter { $0.element != .missing }.map { index, value in
                (time: (start + step * Int64(index)).milliseconds, value: value)
            }
            guard wanted.map(\.time) == found.timestamps else {
                throw ScriptFault(
                    "expected \(text(values)) from \(start.milliseconds) ms every \(step) for \(found.labels), "
                        + "got \(text(found))")
            }
            for (index, point) in wanted.enumerated() {
                let histogram = found.histograms.isEmpty ? nil : found.histograms[index]
                let place = "at \(point.time) ms for \(found.labels)"
                try compare(found.values[index], histogram, with: point.value, place)
            }
        }
        let labels = Set(series.map(\.labels))
        guard labels.count == series.count else { throw ScriptFault("a label set is in the result twice") }
        if let missing = rows.first(where: { !labels.contains($0.labels) }) {
            throw ScriptFault("expected \(missing.labels) \(text(missing.values)), it is not in the result")
        }
    }

    // MARK: Texts

    private static func text(_ value: Double, _ histogram: FloatHistogram?) -> String {
        histogram?.seriesNotation ?? FloatText.general(value)
    }

    private static func text(_ element: VectorElement) -> String { text(element.value, element.histogram) }

    private static func text(_ values: [SeriesNotation.Value]) -> String {
        values.map { value in
            switch value {
            case .missing: "_"
            case .float(let number): number.isStaleMarker ? "stale" : FloatText.general(number)
            case .histogram(let histogram, _): histogram.seriesNotation
            }
        }.joined(separator: " ")
    }

    private static func text(_ series: SeriesSamples) -> String {
        series.timestamps.indices.map { index in
            let histogram = series.histograms.isEmpty ? nil : series.histograms[index]
            return "\(text(series.values[index], histogram)) @[\(series.timestamps[index])]"
        }.joined(separator: " ")
    }
}
