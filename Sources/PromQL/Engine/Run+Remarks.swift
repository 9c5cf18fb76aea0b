internal import MetricModel

extension Run {
    func warn(_ text: String, at range: SourceRange) { annotations.insert(.warning, text, at: range) }
    func inform(_ text: String, at range: SourceRange) { annotations.insert(.info, text, at: range) }

    func remarkInvalidQuantile(_ quantile: Double, at range: SourceRange) {
        guard quantile.isNaN || quantile < 0 || quantile > 1 else { return }
        warn("quantile value should be between 0 and 1, got \(NumberText.shortest(quantile))", at: range)
    }

    func remarkIgnoredHistogram(_ aggregation: Aggregate.Operator, at range: SourceRange) {
        inform("ignored histogram in \(aggregation.rawValue) aggregation", at: range)
    }
}
