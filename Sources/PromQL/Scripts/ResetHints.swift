internal import MetricModel

/// The counter reset hints of native histograms in a store that keeps them in chunks.
///
/// A store does not keep the hints of counters, but detects resets: a reset starts a chunk. When reading, the first
/// histogram of a chunk has no hint (`unknown`, because the previous chunk may be gone), the others mean "no reset".
struct ResetHints {
    private enum Previous {
        case float
        case stale
        case counter(FloatHistogram)
        case gauge
    }

    private var previous: Previous?

    /// A number was added.
    mutating func metFloat(isStale: Bool) {
        previous = isStale ? .stale : .float
    }

    /// The histogram, after it was added, as a reader sees it.
    mutating func read(back histogram: FloatHistogram) -> FloatHistogram {
        guard histogram.counterResetHint != .gauge else {
            previous = .gauge
            return histogram
        }
        var result = histogram
        if case .counter(let last) = previous, !histogram.startsChunk(after: last) {
            result.counterResetHint = .notReset
        } else {
            result.counterResetHint = .unknown
        }
        previous = histogram.isStaleMarker ? .stale : .counter(histogram)
        return result
    }
}

extension FloatHistogram {
    /// Whether a store would start a new chunk for this histogram of a counter, after a chunk that ends with `last`.
    fileprivate func startsChunk(after last: FloatHistogram) -> Bool {
        counterResetHint == .reset || schema != last.schema || zeroThreshold != last.zeroThreshold
            || customValues != last.customValues || count < last.count || zeroCount < last.zeroCount
            || shrinks(from: last.positiveSpans, last.positiveBuckets, to: positiveSpans, positiveBuckets)
            || shrinks(from: last.negativeSpans, last.negativeBuckets, to: negativeSpans, negativeBuckets)
    }

    private func shrinks(
        from earlierSpans: [Span], _ earlier: [Double], to laterSpans: [Span], _ later: [Double]
    ) -> Bool {
        let now = Dictionary(
            Self.occupied(laterSpans, later).map { ($0.index, $0.count) }, uniquingKeysWith: { first, _ in first })
        return Self.occupied(earlierSpans, earlier).contains { (now[$0.index] ?? 0) < $0.count }
    }
}
