internal import MetricModel

/// The moments of an interval at which targets are scraped: as many as spread the load, few enough that several targets
/// share one. A value.
///
/// A thread that wakes for a single target finds nothing of what it needs in the cache; targets that share a moment
/// take half as long on average. There are always a power of two, and never fewer than before: when they double, a
/// target moves by a quarter of their old distance, once.
struct ScrapeMoments: Equatable, Sendable {
    /// Targets at one moment, at most, on average.
    static let targetsPerMoment = 8

    /// Binary logarithm of the number of moments in an interval.
    private(set) var exponent = 0

    /// Makes room for `targets`.
    mutating func spread(_ targets: Int) {
        while targets > Self.targetsPerMoment << exponent { exponent += 1 }
    }

    /// Where in `interval` a target with that hash is scraped: in the middle of the stretch that its moment stands for.
    func offset(ofHash hash: UInt64, in interval: Milliseconds) -> Milliseconds {
        // The highest bits say which, so that twice as many moments split each in two; the multiplication brings all
        // bits there.
        let moment = exponent == 0 ? 0 : (hash &* 0x9e37_79b9_7f4a_7c15) >> UInt64(64 - exponent)
        let middle = interval.rawValue.multipliedFullWidth(by: Int64(2 * moment + 1))
        return Milliseconds(rawValue: (Int64(2) << exponent).dividingFullWidth(middle).quotient)
    }
}

extension ScrapeTarget {
    /// When the target is scraped.
    func timing(_ moments: ScrapeMoments) -> ScrapeLoop.Timing {
        ScrapeLoop.Timing(
            interval: interval, timeout: timeout, offset: moments.offset(ofHash: identity.hash, in: interval))
    }
}
