internal import Glibc
internal import Rollback

/// Events among trials, such as errors among requests.
public struct EventCount: Equatable, Sendable {
    /// Trials with the event; at most `trials`.
    public var events: Double
    /// All trials.
    public var trials: Double

    /// `events` of `trials`. The numbers may be fractions after a correction for clustering.
    public init(events: Double, trials: Double) {
        self.events = events
        self.trials = trials
    }

    /// The share of trials with the event; NaN without trials.
    public var share: Double { events / trials }

    /// Both numbers divided by a design effect, which does not change the share.
    public func divided(by designEffect: Double) -> EventCount {
        EventCount(events: events / designEffect, trials: trials / designEffect)
    }

    /// The sums of events and trials.
    static func + (left: EventCount, right: EventCount) -> EventCount {
        EventCount(events: left.events + right.events, trials: left.trials + right.trials)
    }
}

/// Lower and upper limit of an estimate, each one-sided at its confidence.
public struct Interval: Equatable, Sendable {
    /// The lower limit.
    public var lower: Double
    /// The upper limit; may be infinite.
    public var upper: Double
}

/// Tests on two counts of events. Pure functions. None of them needs large counts.
public enum CountTest {
    /// Fisher's exact test, one-sided: the probability of at least as many events in `candidate` if both versions have
    /// the same share, given all four margins. Numbers are rounded to integers.
    ///
    /// The tail is summed away from the mode, where each term is smaller than the previous one.
    /// - Complexity: O(√n) terms, because negligible terms are skipped.
    public static func fisher(candidate: EventCount, stable: EventCount) -> Double {
        let n1 = candidate.trials.rounded()
        let n0 = stable.trials.rounded()
        let k1 = min(candidate.events.rounded(), n1)
        let k0 = min(stable.events.rounded(), n0)
        let events = k1 + k0
        let least = max(0, events - n0)
        let most = min(n1, events)
        guard k1 > least else { return 1 }
        let logAll = Beta.logChoose(n1 + n0, events)
        func term(_ k: Double) -> Double {
            exp(Beta.logChoose(n1, k) + Beta.logChoose(n0, events - k) - logAll)
        }
        let mode = ((n1 + 1) * (events + 1) / (n1 + n0 + 2)).rounded(.down)
        if k1 > mode {
            var k = k1
            var value = term(k)
            var sum = value
            while k < most {
                value *= (n1 - k) * (events - k) / ((k + 1) * (n0 - events + k + 1))
                k += 1
                sum += value
                if value < sum * 1e-17 { break }
            }
            return min(1, sum)
        }
        var k = k1 - 1
        var value = term(k)
        var sum = value
        while k > least {
            value *= k * (n0 - events + k) / ((n1 - k + 1) * (events - k + 1))
            k -= 1
            sum += value
            if value < sum * 1e-17 { break }
        }
        return max(0, 1 - sum)
    }

    /// The conditional test of two Poisson rates, one-sided: the probability of at least `candidate.events` of all
    /// events in the candidate, if its rate is `ratio` times the stable one's. Given their sum, the events are
    /// binomially distributed.
    public static func poisson(candidate: EventCount, stable: EventCount, ratio: Double = 1) -> Double {
        let (k1, k0) = (candidate.events.rounded(), stable.events.rounded())
        guard k1 > 0 else { return 1 }
        let share = ratio * candidate.trials / (ratio * candidate.trials + stable.trials)
        return Beta.lowerTail(share, k1, k0 + 1)
    }

    /// Exact limits of the ratio of two rates (Clopper and Pearson's of the conditional binomial), each one-sided at
    /// `confidence`.
    ///
    /// Without stable events the upper limit is infinite.
    public static func ratioInterval(candidate: EventCount, stable: EventCount, confidence: Double) -> Interval {
        let (k1, k0) = (candidate.events, stable.events)
        let scale = stable.trials / candidate.trials
        func ratio(_ share: Double) -> Double { share >= 1 ? .infinity : share / (1 - share) * scale }
        return Interval(
            lower: k1 > 0 ? ratio(Beta.quantile(1 - confidence, k1, k0 + 1)) : 0,
            upper: k0 > 0 ? ratio(Beta.quantile(confidence, k1 + 1, k0)) : .infinity)
    }

    /// Newcombe's hybrid score limits of the difference of two shares (method 10 of his 1998 paper), each one-sided at
    /// `confidence`. Also valid without events.
    public static func differenceInterval(candidate: EventCount, stable: EventCount, confidence: Double) -> Interval {
        let first = wilson(candidate, confidence)
        let second = wilson(stable, confidence)
        let (p1, p0) = (candidate.share, stable.share)
        func root(_ left: Double, _ right: Double) -> Double { (left * left + right * right).squareRoot() }
        return Interval(
            lower: p1 - p0 - root(p1 - first.lower, second.upper - p0),
            upper: p1 - p0 + root(first.upper - p1, p0 - second.lower))
    }

    /// Wilson's score limits of one share, each one-sided at `confidence`.
    public static func wilson(_ count: EventCount, _ confidence: Double) -> Interval {
        let z = Normal.quantile(confidence)
        let (n, p) = (count.trials, count.share)
        let middle = p + z * z / (2 * n)
        let half = z * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
        let scale = 1 + z * z / n
        return Interval(
            lower: count.events == 0 ? 0 : max(0, (middle - half) / scale),
            upper: count.events == count.trials ? 1 : min(1, (middle + half) / scale))
    }

    /// The probability that a one-sided test at `significance` detects the candidate's share `share1` when the stable
    /// share is `share0`. Normal approximation.
    public static func power(
        share0: Double, share1: Double, trials0: Double, trials1: Double, significance: Double
    ) -> Double {
        guard trials0 > 0, trials1 > 0, share1 > share0 else { return 0 }
        let pooled = (share0 * trials0 + share1 * trials1) / (trials0 + trials1)
        let null = (pooled * (1 - pooled) * (1 / trials0 + 1 / trials1)).squareRoot()
        let actual = (share0 * (1 - share0) / trials0 + share1 * (1 - share1) / trials1).squareRoot()
        guard actual > 0 else { return 1 }
        return Normal.lowerTail((share1 - share0 - Normal.quantile(1 - significance) * null) / actual)
    }
}
