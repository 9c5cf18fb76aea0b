/// Limits for reading a body. A value.
public struct ReadingLimits: Sendable {
    /// Why reading stopped before the end of the body.
    public enum Stop: Equatable, Sendable {
        case tooManySamples
        case tooManyNewSeries
        case cancelled
    }

    /// The maximum number of samples.
    public var samples: Int
    /// The maximum number of series that were not in the last committed body, because they take time.
    public var newSeries: Int
    /// Called occasionally while unpredicted lines are read.
    public var isCancelled: @Sendable () -> Bool

    /// No limits other than those given.
    public init(
        samples: Int = .max, newSeries: Int = .max, isCancelled: @escaping @Sendable () -> Bool = { false }
    ) {
        self.samples = samples
        self.newSeries = newSeries
        self.isCancelled = isCancelled
    }

    /// The limit that is exceeded, if any.
    func stop(samples: Int, newSeries: Int) -> Stop? {
        if samples > self.samples { return .tooManySamples }
        if newSeries > self.newSeries { return .tooManyNewSeries }
        return samples % 1024 == 0 && isCancelled() ? .cancelled : nil
    }
}
