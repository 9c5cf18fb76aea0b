internal import MetricModel

/// The times in an interval at which targets are scraped: enough to spread the load, but few enough that several
/// targets share each. A value.
///
/// A thread that wakes for a single target has a cold cache. Targets that share a time take half as long on average.
/// The number of times is a power of two and never decreases. When it doubles, a target moves once, by a quarter of the
/// old distance.
struct ScrapeMoments: Equatable, Sendable {
    /// The maximum average number of targets per time.
    static let targetsPerMoment = 8

    /// Binary logarithm of the number of times in an interval.
    private(set) var exponent = 0

    /// Increases the number of times for `targets`.
    mutating func spread(_ targets: Int) {
        while targets > Self.targetsPerMoment << exponent { exponent += 1 }
    }

    /// The offset in `interval` of a target with that hash: the middle of its part of the interval.
    func offset(ofHash hash: UInt64, in interval: Milliseconds) -> Milliseconds {
        // The highest bits select the part, so that doubling splits each part in two. The multiplication mixes all bits
        // into them.
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
