internal import MetricModel

extension RangeContext {
    func remarkMix(_ window: Window) {
        run.warn(
            "encountered a mix of histograms and floats for metric name \(MetricText.quoted(window.metricName))",
            at: position)
    }

    func remarkOverlap(_ window: Window) {
        run.annotations.insert(
            .warning,
            "sample has start time that overlaps with previous sample timestamp for metric "
                + MetricText.quoted(window.metricName), detail: .occurrences(1), at: position)
    }

    func remarkNotCounter(_ window: Window) {
        run.warn("this native histogram metric is not a counter: \(MetricText.quoted(window.metricName))", at: position)
    }

    func remarkNotGauge(_ window: Window) {
        run.warn("this native histogram metric is not a gauge: \(MetricText.quoted(window.metricName))", at: position)
    }

    func remarkMixedSchemas(_ window: Window) {
        run.warn(
            "vector contains a mix of histograms with exponential and custom buckets schemas for metric name "
                + MetricText.quoted(window.metricName), at: position)
    }

    func remarkIgnoredHistograms(_ window: Window) {
        run.inform(
            "ignored histograms in a range containing both floats and histograms for metric name "
                + MetricText.quoted(window.metricName), at: position)
    }

    func remarkReconciled(_ operation: String) {
        run.inform("mismatched custom buckets were reconciled during \(operation)", at: position)
    }

    func remarkCollision(_ operation: String) {
        run.warn("conflicting counter resets during histogram \(operation)", at: position)
    }

    /// Adds `other` to `sum`. Warns and returns `false` if one has exponential and the other custom buckets.
    func add(_ other: FloatHistogram, to sum: inout FloatHistogram, _ window: Window) -> Bool {
        guard let outcome = sum.add(other) else {
            remarkMixedSchemas(window)
            return false
        }
        if outcome.boundsReconciled { remarkReconciled("addition") }
        return true
    }

    /// Subtracts `other` from `difference`. Warns and returns `false` if one has exponential and the other custom
    /// buckets.
    func subtract(_ other: FloatHistogram, from difference: inout FloatHistogram, _ window: Window) -> Bool {
        guard let outcome = difference.subtract(other) else {
            remarkMixedSchemas(window)
            return false
        }
        if outcome.boundsReconciled { remarkReconciled("subtraction") }
        return true
    }
}
