internal import Rollback

/// What was seen of one metric in both versions. Slices are stretches of time of equal length, in order; they tell how
/// far observations depend on each other.
public enum MetricObservations: Equatable, Sendable {
    /// Events among trials.
    case counts(stable: [EventCount], candidate: [EventCount])
    /// Observations by bucket, slice by slice. Bucket *i* ends at `bounds[i]`; the last bound may be infinite.
    case histogram(bounds: [Double], stable: [[Double]], candidate: [[Double]])
    /// Values as they were scraped, slice by slice.
    case samples(stable: [[Double]], candidate: [[Double]])
    /// Why there is nothing to compare.
    case missing(String)
}

/// How one metric is judged. A value.
public struct MetricCriteria: Equatable, Sendable {
    /// In which direction healthy lies.
    public enum Direction: String, Equatable, Sendable, CaseIterable {
        case lower
        case higher
    }

    /// The smallest change for the worse that matters. A smaller one passes however certain it is; a larger one that
    /// cannot be excluded makes the result inconclusive.
    public struct Minimum: Equatable, Sendable {
        /// Change of a share in points (0.001 is one request in a thousand), or of a sample in the metric's unit.
        public var absolute: Double
        /// Change relative to the stable version (0.5 is half as much again). Both this and `absolute` must be reached.
        public var relative: Double
        /// For histograms: the probability that a request of the candidate is slower than one of the stable version;
        /// 0.5 is no change.
        public var superiority: Double

        /// Changes that matter; for a share of failed requests, unless said otherwise.
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
    /// In which direction healthy lies.
    public var better: Direction
    /// The smallest change for the worse that matters.
    public var minimum: Minimum

    /// Criteria for the metric `name`.
    public init(name: String, better: Direction = .lower, minimum: Minimum = Minimum()) {
        self.name = name
        self.better = better
        self.minimum = minimum
    }
}

/// How sure an answer must be.
public struct GateConfidence: Equatable, Sendable {
    /// The chance, over all metrics of an analysis, that a change is seen where there is none.
    public var significance: Double
    /// How sure it must be, before a metric passes, that no change as large as the smallest that matters is hidden.
    public var confidence: Double

    /// One in a hundred false alarms, 95 % sure of a pass.
    public init(significance: Double = 0.01, confidence: Double = 0.95) {
        self.significance = significance
        self.confidence = confidence
    }
}

/// An answer of a gate.
public enum GateVerdict: String, Equatable, Sendable, CaseIterable {
    case pass
    case fail
    /// The data do not tell.
    case inconclusive
}
