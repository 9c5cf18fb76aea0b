import DeploymentGates
import Glibc
import Rollback

/// The observations of two versions of a service under load, labelled with whether the candidate is worse.
///
/// Requests arrive in 20 slices of a window, with the difficulties of real traffic: the load of slices varies, latency
/// drifts from slice to slice, and bursts (a slow or failing dependency) affect one version or both for a few slices.
/// None of this makes a candidate bad; only `kind` does.
public struct SyntheticDeployment {
    /// The effect of the deployment.
    public enum Kind: String, CaseIterable, Sendable {
        case unchanged
        /// Latency +1 %, errors +5 % relative: not relevant.
        case trivial
        /// Latency −20 %, half of the errors.
        case improved
        /// Three times the errors and another half per cent.
        case errors
        /// The stable version has no errors at all, the candidate 1 %.
        case errorsFromNone
        /// Every request takes 40 % longer.
        case slower
        /// 8 % of the requests take five times as long.
        case slowTail

        /// Whether a gate should fail it.
        public var isBad: Bool {
            switch self {
            case .unchanged, .trivial, .improved: false
            case .errors, .errorsFromNone, .slower, .slowTail: true
            }
        }
    }

    /// The effect of the deployment.
    public let kind: Kind
    /// Failed requests.
    public let errors: MetricObservations
    /// Latencies in the buckets of Prometheus's client libraries.
    public let latency: MetricObservations

    static let slices = 20
    static let bounds: [Double] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, .infinity]

    /// A deployment with about `requests` requests of each version.
    public init(_ kind: Kind, requests: Int, seed: UInt64) {
        var random = RandomSource(seed: seed)
        self.kind = kind
        let base = Service(kind, &random)
        let shared = random.chance(0.5) ? Weather(&random) : nil
        let stable = base.run(requests, shared ?? Weather(&random), &random)
        let candidate = base.changed(by: kind).run(requests, shared ?? Weather(&random), &random)
        errors = .counts(stable: stable.errors, candidate: candidate.errors)
        latency = .histogram(bounds: Self.bounds, stable: stable.latency, candidate: candidate.latency)
    }

    /// The verdict with the metrics `errors` and `latency` under default criteria.
    public func verdict(_ confidence: GateConfidence = GateConfidence()) -> GateVerdict {
        RegressionTest.verdict(of: findings(confidence))
    }

    /// The findings of all tests.
    public func findings(_ confidence: GateConfidence = GateConfidence()) -> [MetricFinding] {
        RegressionTest.findings(
            of: [(MetricCriteria(name: "errors"), errors), (MetricCriteria(name: "latency"), latency)], confidence)
    }
}

/// The conditions of a version, by slice: load, latency, additional errors.
private struct Weather {
    var load: [Double] = []
    var slowness: [Double] = []
    var errorFactor: [Double] = []

    init(_ random: inout RandomSource) {
        var drift = 0.06 * random.normal()
        var burst = 0
        for _ in 0..<SyntheticDeployment.slices {
            drift = 0.6 * drift + 0.06 * 0.8 * random.normal()
            if burst > 0 { burst -= 1 } else if random.chance(0.05) { burst = 1 + Int(random.uniform() * 3) }
            load.append(exp(0.3 * random.normal()))
            slowness.append(exp(drift) * (burst > 0 ? 1.4 : 1))
            errorFactor.append(burst > 0 ? 3 : 1)
        }
        let mean = load.reduce(0, +) / Double(load.count)
        load = load.map { $0 / mean }
    }
}

/// One version of a service.
private struct Service {
    enum Shape {
        case lognormal(sigma: Double)
        case gamma(shape: Double)
    }

    var errorRate: Double
    var shape: Shape
    var scale: Double
    var tailShare = 0.01
    var tailFactor = 4.0

    init(_ kind: SyntheticDeployment.Kind, _ random: inout RandomSource) {
        let rates = [0, 0.001, 0.005, 0.01, 0.02]
        errorRate = kind == .errorsFromNone ? 0 : rates[Int(random.uniform() * 5)]
        shape =
            random.chance(0.5)
            ? .lognormal(sigma: 0.4 + 0.4 * random.uniform()) : .gamma(shape: 2 + 2 * random.uniform())
        scale = 0.03 + 0.2 * random.uniform()
    }

    func changed(by kind: SyntheticDeployment.Kind) -> Service {
        var service = self
        switch kind {
        case .unchanged: break
        case .trivial:
            service.scale *= 1.01
            service.errorRate *= 1.05
        case .improved:
            service.scale *= 0.8
            service.errorRate *= 0.5
        case .errors: service.errorRate = 3 * errorRate + 0.005
        case .errorsFromNone: service.errorRate = 0.01
        case .slower: service.scale *= 1.4
        case .slowTail:
            service.tailShare = 0.08
            service.tailFactor = 5
        }
        return service
    }

    func run(
        _ requests: Int, _ weather: Weather, _ random: inout RandomSource
    ) -> (errors: [EventCount], latency: [[Double]]) {
        var errors: [EventCount] = []
        var latency: [[Double]] = []
        for slice in 0..<SyntheticDeployment.slices {
            let mean = Double(requests) / Double(SyntheticDeployment.slices) * weather.load[slice]
            let count = random.poisson(mean)
            let rate = min(1, errorRate * weather.errorFactor[slice])
            var failed = 0
            var buckets = [Double](repeating: 0, count: SyntheticDeployment.bounds.count)
            for _ in 0..<count {
                if rate > 0, random.chance(rate) { failed += 1 }
                var seconds = scale * weather.slowness[slice]
                switch shape {
                case .lognormal(let sigma): seconds *= exp(sigma * random.normal())
                case .gamma(let shape): seconds *= random.gamma(shape: shape)
                }
                if random.chance(tailShare) { seconds *= tailFactor }
                buckets[SyntheticDeployment.bounds.firstIndex { seconds <= $0 } ?? buckets.count - 1] += 1
            }
            errors.append(EventCount(events: Double(failed), trials: Double(count)))
            latency.append(buckets)
        }
        return (errors, latency)
    }
}
