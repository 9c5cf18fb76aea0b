internal import Rollback

/// How much the observations of two versions depend on each other within slices of time, and how well that is known.
///
/// A slow dependency or a busy host often disturbs both versions at once. That changes neither's advantage, but each
/// version alone looks clustered. Where the slices of both versions rise and fall together, the variance of their
/// *difference* between slices is used, which does not contain the common part.
struct SliceDependence: Equatable {
    /// The design effects of both versions.
    var stable: Double
    var candidate: Double
    /// The degrees of freedom of their estimate; `nil` if nothing was estimated.
    var degrees: Double?

    /// From this correlation on, slices rise and fall together. Independent versions reach it with twenty slices in one
    /// case of a hundred.
    private static let together = 0.5
    /// With fewer slices a correlation says nothing.
    private static let leastSlices = 8

    /// The dependence of shares that were counted by slice.
    init(_ stable: [EventCount], _ candidate: [EventCount]) {
        let none = EventCount(events: 0, trials: 0)
        self.init(
            stable: Clustering.designEffect(stable), candidate: Clustering.designEffect(candidate),
            used: (stable.count { $0.trials > 0 }, candidate.count { $0.trials > 0 }),
            slices: Self.slices(stable, candidate, joined: +) { s, c in
                let (all0, all1) = (s.reduce(none, +), c.reduce(none, +))
                return (
                    s.map { ($0.events - all0.share * $0.trials) / all0.trials },
                    c.map { ($0.events - all1.share * $0.trials) / all1.trials },
                    all0.share * (1 - all0.share) / all0.trials + all1.share * (1 - all1.share) / all1.trials
                )
            })
    }

    /// The dependence of observations that were counted by category and slice.
    init(_ stable: [[Double]], _ candidate: [[Double]], _ placements: Placements) {
        func used(_ slices: [[Double]]) -> Int { slices.count { $0.contains { $0 > 0 } } }
        self.init(
            stable: Clustering.designEffect(stable, placements: placements.ofStable),
            candidate: Clustering.designEffect(candidate, placements: placements.ofCandidate),
            used: (used(stable), used(candidate)),
            slices: Self.slices(stable, candidate) { left, right in
                zip(left, right).map { $0 + $1 }
            } residuals: { s, c in
                let (own0, own1) = (Self.residuals(s, placements.ofStable), Self.residuals(c, placements.ofCandidate))
                // A high placement of a stable observation lowers the candidate's superiority, and is high when the
                // stable version is slow.
                return (own0.values, own1.values, own0.variance + own1.variance)
            })
    }

    /// The residuals of both versions by slice, and the variance that their difference would have without clusters.
    private typealias Residuals = (stable: [Double], candidate: [Double], independent: Double)

    private init(
        stable: Double, candidate: Double, used: (Int, Int), slices: (single: Residuals, pairs: Residuals?)?
    ) {
        self.stable = stable
        self.candidate = candidate
        degrees = Clustering.degrees(stable: used.0, candidate: used.1)
        guard let slices, slices.single.stable.count >= Self.leastSlices, slices.single.independent > 0,
            Self.correlation(slices.single.stable, slices.single.candidate) >= Self.together
        else { return }
        let pairs = slices.pairs.map(Self.effect) ?? 1
        let effect = max(1, Self.effect(slices.single), pairs)
        (self.stable, self.candidate) = (effect, effect)
        // One variance of differences instead of two variances; half of the slices count, as elsewhere.
        degrees = max(1, Double(slices.single.stable.count) / 2 - 1)
    }

    private static func slices<Slice>(
        _ stable: [Slice], _ candidate: [Slice], joined: (Slice, Slice) -> Slice,
        residuals: ([Slice], [Slice]) -> Residuals
    ) -> (single: Residuals, pairs: Residuals?)? {
        guard stable.count == candidate.count, stable.count >= leastSlices else { return nil }
        let pairs = (Clustering.paired(stable, joined), Clustering.paired(candidate, joined))
        return (residuals(stable, candidate), pairs.0.isEmpty ? nil : residuals(pairs.0, pairs.1))
    }

    private static func residuals(_ slices: [[Double]], _ placements: [Double]) -> (values: [Double], variance: Double)
    {
        let sums = slices.map { PlacementSums($0, placements) }
        let total = sums.reduce(0) { $0 + $1.total }
        let mean = sums.reduce(0) { $0 + $1.first } / total
        let square = sums.reduce(0) { $0 + $1.second } / total
        return (sums.map { ($0.first - mean * $0.total) / total }, (square - mean * mean) / total)
    }

    private static func effect(_ residuals: Residuals) -> Double {
        let squares = zip(residuals.stable, residuals.candidate).reduce(0.0) { $0 + ($1.1 - $1.0) * ($1.1 - $1.0) }
        let count = Double(residuals.stable.count)
        return count / (count - 1) * squares / residuals.independent
    }

    private static func correlation(_ left: [Double], _ right: [Double]) -> Double {
        // Residuals have the mean 0.
        let product = zip(left, right).reduce(0.0) { $0 + $1.0 * $1.1 }
        let squares = left.reduce(0) { $0 + $1 * $1 } * right.reduce(0) { $0 + $1 * $1 }
        return squares > 0 ? product / squares.squareRoot() : 0
    }
}
