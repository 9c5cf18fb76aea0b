internal import MetricModel

/// The part of its metric that a series is, for ``SeriesConversion``.
struct SeriesRole: Sendable {
    enum Part: Equatable, Sendable {
        /// A counter, a quantile, or a native histogram.
        case value
        case bucket(upperBound: Double)
        case sum
        case count
        case created
    }

    /// The metric's name and labels, without those of the part.
    var metric: Labels
    var part: Part
    var type: MetricType

    /// The role of a series; `nil` if it is not part of another metric.
    init?(_ labels: Labels, type: MetricType) {
        guard let name = labels.metricName else { return nil }
        func metric(without suffix: String, dropping label: String? = nil) -> Labels {
            var metric = labels.setting(Labels.metricName, to: String(name.dropLast(suffix.count)))
            if let label { metric = metric.setting(label, to: "") }
            return metric
        }
        self.type = type
        switch type {
        case .counter where name.hasSuffix("_total"): (self.metric, part) = (metric(without: "_total"), .value)
        case .counter, .histogram, .summary:
            if name.hasSuffix("_created") {
                (self.metric, part) = (metric(without: "_created"), .created)
            } else if type == .counter {
                (self.metric, part) = (labels, .value)
            } else if name.hasSuffix("_sum") {
                (self.metric, part) = (metric(without: "_sum"), .sum)
            } else if name.hasSuffix("_count") {
                (self.metric, part) = (metric(without: "_count"), .count)
            } else if type == .histogram, name.hasSuffix("_bucket"), let text = labels["le"],
                let bound = OpenMetricsNumber.value(text), !bound.isNaN
            {
                (self.metric, part) = (metric(without: "_bucket", dropping: "le"), .bucket(upperBound: bound))
            } else {
                (self.metric, part) = (metric(without: "", dropping: type == .summary ? "quantile" : nil), .value)
            }
        case .unknown, .gauge, .gaugehistogram, .info, .stateset: return nil
        }
    }
}
