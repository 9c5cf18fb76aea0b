internal import Glibc

/// A part of a load test with a constant or steadily changing rate.
public struct LoadStage: Equatable, Sendable {
    /// Its length, in seconds.
    public var seconds: Double
    /// Requests per second at its beginning.
    public var from: Double
    /// Requests per second at its end.
    public var to: Double

    /// A stage from one rate to another.
    public init(seconds: Double, from: Double, to: Double) {
        self.seconds = seconds
        self.from = from
        self.to = to
    }

    /// The number of requests, which need not be whole.
    var requests: Double { seconds * (from + to) / 2 }

    /// When `count` requests were due, in seconds from its beginning: the inverse of from·t + (to − from)/2s·t².
    func time(of count: Double) -> Double {
        let slope = (to - from) / seconds
        if slope.magnitude < 1e-12 { return count / from }
        return ((max(0, from * from + 2 * slope * count)).squareRoot() - from) / slope
    }
}

/// The times at which requests are due. They depend on the plan alone, never on the answers: an open loop, in which a
/// slow answer does not delay the next request. A value.
public struct LoadSchedule: Equatable, Sendable {
    /// The stages, one after the other.
    public let stages: [LoadStage]
    private var stage = 0
    private var next = 0.0
    private var stageBegin = 0.0

    /// The schedule of `stages`.
    public init(_ stages: [LoadStage]) {
        self.stages = stages.filter { $0.seconds > 0 }
    }

    /// The length in seconds.
    public var seconds: Double { stages.reduce(0) { $0 + $1.seconds } }
    /// The number of all requests.
    public var requests: Double { stages.reduce(0) { $0 + $1.requests } }

    /// The time of the next request, in nanoseconds from the beginning; `nil` if there is none.
    public mutating func popNext() -> Int64? {
        while stage < stages.count {
            let current = stages[stage]
            if next < current.requests {
                let time = stageBegin + current.time(of: next)
                next += 1
                return Int64(time * 1e9)
            }
            // The fraction of a request left at the end of a stage is due in the next one.
            next -= current.requests
            stageBegin += current.seconds
            stage += 1
        }
        return nil
    }
}

/// Chooses targets in proportion to their weights, as evenly as possible. A value.
struct WeightedRotation: Equatable {
    private let weights: [Double]
    private var credits: [Double]

    init(_ weights: [Double]) {
        self.weights = weights
        credits = weights.map { _ in 0 }
    }

    /// The next index.
    mutating func popNext() -> Int {
        var best = 0
        for index in weights.indices {
            credits[index] += weights[index]
            if credits[index] > credits[best] { best = index }
        }
        credits[best] -= weights.reduce(0, +)
        return best
    }
}
