import MetricModel

@testable import MetricStore

/// A naive store: one list of samples per lane and series.
struct ModelStore {
    struct Key: Hashable {
        var lane: LaneID
        var labels: Labels
    }

    struct Sample {
        var time: Int64
        var value: StoredValue
    }

    private(set) var committed: [Key: [Sample]] = [:]
    private var pending: [Key: [Sample]] = [:]

    mutating func append(_ key: Key, _ value: StoredValue, at time: Int64) -> AppendOutcome {
        if let newest = pending[key]?.last ?? committed[key]?.last {
            if time < newest.time { return .outOfOrder }
            if time == newest.time { return newest.value.isSame(as: value) ? .alreadyPresent : .duplicateTimestamp }
        }
        pending[key, default: []].append(Sample(time: time, value: value))
        return .appended
    }

    mutating func commit() {
        committed.merge(pending) { $0 + $1 }
        pending = [:]
    }

    mutating func rollBack() {
        pending = [:]
    }

    /// Whether some series has more than one sample pending.
    var hasSeveralPending: Bool { pending.values.contains { $0.count > 1 } }

    func select(_ matchers: [Matcher], from: Int64, through: Int64) -> [Labels: [Sample]] {
        var result: [Labels: [Int64: Sample]] = [:]
        for (key, samples) in committed.sorted(by: { $0.key.lane.rawValue < $1.key.lane.rawValue })
        where matchers.allSatisfy({ (try? CompiledMatcher($0).accepts(key.labels[$0.name] ?? "")) == true }) {
            for sample in samples where sample.time >= from && sample.time <= through {
                let known = result[key.labels]?[sample.time]
                result[key.labels, default: [:]][sample.time] = known ?? sample
            }
        }
        return result.mapValues { $0.values.sorted { $0.time < $1.time } }
    }
}
