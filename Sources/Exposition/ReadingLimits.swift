/// How much of a body is read at once. A value.
public struct ReadingLimits: Sendable {
    /// Why reading ended before the body did.
    public enum Stop: Equatable, Sendable {
        case tooManySamples
        case tooManyNewSeries
        case cancelled
    }

    /// The most samples.
    public var samples: Int
    /// The most series that the last committed body did not have: the ones that take time.
    public var newSeries: Int
    /// Asked now and then while lines are read that were not predicted.
    public var isCancelled: @Sendable () -> Bool

    /// No limits but those that are named.
    public init(
        samples: Int = .max, newSeries: Int = .max, isCancelled: @escaping @Sendable () -> Bool = { false }
    ) {
        self.samples = samples
        self.newSeries = newSeries
        self.isCancelled = isCancelled
    }

    /// Whether so much is too much.
    func stop(samples: Int, newSeries: Int) -> Stop? {
        if samples > self.samples { return .tooManySamples }
        if newSeries > self.newSeries { return .tooManyNewSeries }
        return samples % 1024 == 0 && isCancelled() ? .cancelled : nil
    }
}
