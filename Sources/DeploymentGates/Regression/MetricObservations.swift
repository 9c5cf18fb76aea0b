internal import Rollback

/// The observations of one metric in both versions. Slices are consecutive periods of equal length. They show how much
/// observations depend on each other.
public enum MetricObservations: Equatable, Sendable {
    /// Events among trials.
    case counts(stable: [EventCount], candidate: [EventCount])
    /// Observations by slice and bucket. Bucket *i* ends at `bounds[i]`; the last bound may be infinite.
    case histogram(bounds: [Double], stable: [[Double]], candidate: [[Double]])
    /// Scraped values, by slice.
    case samples(stable: [[Double]], candidate: [[Double]])
    /// Why there are no data to compare.
    case missing(String)
}

/// The criteria for one metric. A value.
public struct MetricCriteria: Equatable, Sendable {
    /// Whether lower or higher values are healthy.
    public enum Direction: String, Equatable, Sendable, CaseIterable {
        case lower
        case higher
    }

    /// The smallest relevant change for the worse. A smaller one passes, however certain it is. If a larger one cannot
    /// be excluded, the result is inconclusive.
    public struct Minimum: Equatable, Sendable {
        /// Change of a share in points (0.001 is one request in a thousand), or of a sample in the unit of the metric.
        public var absolute: Double
        /// Change relative to the stable version (0.5 is 50 % more). Both this and `absolute` must be reached.
        public var relative: Double
        /// For histograms: the probability that a request of the candidate is slower than one of the stable version;
        /// 0.5 is no change.
        public var superiority: Double

        /// The smallest relevant change; by default for the share of failed requests.
        public init(absolute: Double = 0.001, relative: Double = 0.5, superiority: Double = 0.56) {
            self.absolute = absolute
            self.relative = relative
            self.superiority = superiority
        }

        /// For the share of requests in the slow tail of a histogram.
        static let tail = Minimum(absolute: 0.01, relative: 0.5)
    }

    /// The metric's name in reports.
    public var name: String
    /// Whether lower or higher values are healthy.
    public var better: Direction
    /// The smallest relevant change for the worse.
    public var minimum: Minimum

    /// Criteria for the metric `name`.
    public init(name: String, better: Direction = .lower, minimum: Minimum = Minimum()) {
        self.name = name
        self.better = better
        self.minimum = minimum
    }
}

/// The required confidence of an analysis.
public struct GateConfidence: Equatable, Sendable {
    /// The probability, over all metrics of an analysis, that a change is found when there is none.
    public var significance: Double
    /// The confidence with which a relevant change must be excluded before a metric passes.
    public var confidence: Double

    /// A false alarm rate of 1 %, and 95 % confidence in a pass.
    public init(significance: Double = 0.01, confidence: Double = 0.95) {
        self.significance = significance
        self.confidence = confidence
    }
}

/// The verdict of a gate.
public enum GateVerdict: String, Equatable, Sendable, CaseIterable {
    case pass
    case fail
    /// The data are not sufficient.
    case inconclusive
}
