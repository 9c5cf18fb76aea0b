import DeploymentGates
import Glibc
import Rollback

/// A deployment that is watched while its data grow: two versions of a service under equal traffic, in cells of five
/// seconds. Labelled with whether the candidate is worse.
///
/// The traffic has the difficulties of `SyntheticDeployment`: load and latency drift, and bursts of half a minute to
/// two minutes disturb one version or both. Counts of cells are Poisson, so that a long watch costs no more than a
/// short one.
public struct SyntheticWatch {
    /// The effect of the deployment.
    public enum Kind: String, CaseIterable, Sendable {
        case identical
        /// One request in fifty fails instead of one in a hundred.
        case errors
        /// Every request takes a quarter longer, and so does the 95th percentile.
        case slower

        /// Whether a gate should fail it.
        public var isBad: Bool { self != .identical }
    }

    private struct Cell {
        var errors = EventCount(events: 0, trials: 0)
        var buckets = [Double](repeating: 0, count: SyntheticDeployment.bounds.count)
    }

    /// Seconds of a cell: the interval of scrapes.
    static let cell = 5.0
    private let stable: [Cell]
    private let candidate: [Cell]

    /// A watch of `seconds` at `rate` requests per second and version.
    ///
    /// - Parameter common: the probability that drift and bursts are the same for both versions, as those of a shared
    ///   dependency are.
    public init(_ kind: Kind, rate: Double, seconds: Double, common: Double = 0.5, seed: UInt64) {
        var random = RandomSource(seed: seed)
        let cells = Int(seconds / Self.cell)
        let sigma = 0.4 + 0.4 * random.uniform()
        let scale = 0.03 + 0.2 * random.uniform()
        let shared = random.chance(common) ? Weather(cells: cells, &random) : nil
        func run(_ errors: Double, _ scale: Double, _ weather: Weather) -> [Cell] {
            (0..<cells).map { index in
                let mean = rate * Self.cell * weather.load[index]
                var cell = Cell()
                var below = 0.0
                for (place, bound) in SyntheticDeployment.bounds.enumerated() {
                    let total = Self.share(upTo: bound, scale * weather.slowness[index], sigma)
                    cell.buckets[place] = Double(random.poisson(max(0, mean * (total - below))))
                    below = total
                }
                let trials = cell.buckets.reduce(0, +)
                let failed = Double(random.poisson(trials * min(1, errors * weather.errorFactor[index])))
                cell.errors = EventCount(events: min(trials, failed), trials: trials)
                return cell
            }
        }
        stable = run(0.01, scale, shared ?? Weather(cells: cells, &random))
        candidate = run(
            kind == .errors ? 0.02 : 0.01, kind == .slower ? scale * 1.25 : scale,
            shared ?? Weather(cells: cells, &random))
    }

    /// The share of lognormal latencies up to `bound`; one in a hundred takes four times as long.
    private static func share(upTo bound: Double, _ scale: Double, _ sigma: Double) -> Double {
        guard bound.isFinite else { return 1 }
        func share(_ scale: Double) -> Double { Normal.lowerTail(log(bound / scale) / sigma) }
        return 0.99 * share(scale) + 0.01 * share(scale * 4)
    }

    /// The findings of the look after `seconds`, as a gate would read them: up to 20 slices of at least two cells.
    public func findings(after seconds: Double, _ confidence: GateConfidence) -> [MetricFinding] {
        let cells = min(stable.count, Int(seconds / Self.cell))
        let count = max(1, min(20, cells / 2))
        func sliced(_ all: [Cell]) -> [Cell] {
            var slices = [Cell](repeating: Cell(), count: count)
            for (index, cell) in all.prefix(cells).enumerated() {
                let place = index * count / cells
                slices[place].errors.events += cell.errors.events
                slices[place].errors.trials += cell.errors.trials
                for bucket in cell.buckets.indices { slices[place].buckets[bucket] += cell.buckets[bucket] }
            }
            return slices
        }
        let (s, c) = (sliced(stable), sliced(candidate))
        return RegressionTest.findings(
            of: [
                (
                    MetricCriteria(name: "errors"),
                    .counts(stable: s.map(\.errors), candidate: c.map(\.errors))
                ),
                (
                    MetricCriteria(name: "latency"),
                    .histogram(
                        bounds: SyntheticDeployment.bounds, stable: s.map(\.buckets), candidate: c.map(\.buckets))
                ),
            ], confidence)
    }

    /// The first decision of the watch, and after how many seconds; inconclusive at the end if there is none.
    public func decision(
        looks: Int = GateWatch.looks, seconds: Double, _ confidence: GateConfidence = GateConfidence()
    ) -> (verdict: GateVerdict, seconds: Double) {
        let watch = GateWatch(confidence, looks: looks)
        for look in 1...looks {
            let time = seconds * Double(look) / Double(looks)
            let verdict = RegressionTest.verdict(of: findings(after: time, watch.confidence(at: look)))
            if verdict != .inconclusive { return (verdict, time) }
        }
        return (.inconclusive, seconds)
    }

    /// The conditions of a version, by cell.
    private struct Weather {
        var load: [Double] = []
        var slowness: [Double] = []
        var errorFactor: [Double] = []

        /// Conditions last half a minute, as a slice of `SyntheticDeployment` with a window of ten minutes.
        private static let period = 6

        init(cells: Int, _ random: inout RandomSource) {
            var drift = 0.06 * random.normal()
            var burst = 0
            var loads = 0.0
            for cell in 0..<cells {
                if cell % Self.period == 0 {
                    drift = 0.6 * drift + 0.06 * 0.8 * random.normal()
                    if burst > 0 { burst -= 1 } else if random.chance(0.05) { burst = 1 + Int(random.uniform() * 3) }
                    loads = exp(0.3 * random.normal())
                }
                load.append(loads)
                slowness.append(exp(drift) * (burst > 0 ? 1.4 : 1))
                errorFactor.append(burst > 0 ? 3 : 1)
            }
            let mean = load.reduce(0, +) / Double(max(1, cells))
            load = load.map { $0 / mean }
        }
    }
}
