public import Instrumentation
public import MetricModel
internal import RE2
internal import Synchronization

struct PendingSample: Sendable {
    var slot: RingSlot
    var time: Int64
    var value: Double
    var histogram: FloatHistogram?
}

/// Keeps the samples of all series in rings, one per writer, and answers queries for them.
///
/// Made once by the composition root and shared by all threads. Appending and reading samples of known series takes no lock;
/// creating and removing series does, for a short time.
public final class MetricStore: Sendable {
    private struct Series {
        var labels: Labels
        var lane: LaneID
        var live = true
        var samples: [PendingSample] = []
    }
    private struct State {
        var lanes: [String] = []
        var open: Set<String> = []
        var series: [Series] = []
        var byKey: [Labels: [UInt32]] = [:]
        var generation: UInt64 = 0
    }
    private let state = Mutex(State())

    /// An empty store, or the one that `configuration.directory` holds.
    public init(_ configuration: StoreConfiguration, registry: Registry?) throws(StoreError) {}

    /// The lane called `name` for its one writer.
    public func openLane(_ name: String) throws(StoreError) -> Lane {
        let id: LaneID? = state.withLock { state in
            guard state.open.insert(name).inserted else { return nil }
            state.lanes.append(name)
            return LaneID(UInt32(state.lanes.count - 1))
        }
        guard let id else { throw StoreError(.laneInUse, "lane \(name) already has a writer") }
        return Lane(id: id, name: name, store: self)
    }

    /// Ends the store; lanes and queries fail from now on.
    public func close() {}

    /// Lets samples older than the retention go and forgets series without samples. Call it every few seconds.
    public func maintain(now: Timestamp) {}

    /// Changes whenever a series appears or disappears.
    public var seriesGeneration: UInt64 { state.withLock { $0.generation } }

    /// Figures with the ten largest entries of each list.
    public var statistics: StoreStatistics { statistics(top: 10) }

    /// Figures with the `limit` largest entries of each list. Looks at every series.
    public func statistics(top limit: Int) -> StoreStatistics {
        var result = StoreStatistics()
        result.seriesCount = state.withLock { $0.byKey.count }
        return result
    }

    /// The samples in `from...through` of every series that fits all `matchers`.
    ///
    /// Staleness markers are among them. A label set that lives in several lanes comes out once; where two lanes have a sample
    /// at the same time, the older lane's counts. Fails when more than `sampleLimit` samples would come out.
    public func select(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp, sampleLimit: Int
    ) throws(SelectError) -> [SeriesSamples] {
        var result: [SeriesSamples] = []
        var total = 0
        for (labels, all) in try find([matchers]) {
            var merged: [Int64: PendingSample] = [:]
            for series in all {
                for sample in series.samples
                where sample.time >= from.milliseconds && sample.time <= through.milliseconds {
                    merged[sample.time] = merged[sample.time] ?? sample
                }
            }
            if merged.isEmpty { continue }
            total += merged.count
            guard total <= sampleLimit else {
                throw SelectError(.sampleLimit, "more than \(sampleLimit) samples")
            }
            let samples = merged.values.sorted { $0.time < $1.time }
            let hasHistograms = samples.contains { $0.histogram != nil }
            result.append(
                SeriesSamples(
                    labels: labels, timestamps: samples.map(\.time), values: samples.map(\.value),
                    histograms: hasHistograms ? samples.map(\.histogram) : []))
        }
        return result
    }

    /// The label sets with samples in `from...through` that fit any of the matcher lists; no list at all means every series.
    ///
    /// `limit` cuts the sorted answer; 0 is no limit.
    public func labelSets(
        matching: [[Matcher]], from: Timestamp, through: Timestamp, limit: Int = 0
    ) throws(SelectError) -> [Labels] {
        let found = try find(matching).filter { entry in
            entry.1.contains { series in
                series.samples.contains { $0.time >= from.milliseconds && $0.time <= through.milliseconds }
            }
        }
        return cut(found.map(\.0).sorted(), limit)
    }

    /// The names of the labels of those series, sorted.
    public func labelNames(
        matching: [[Matcher]], from: Timestamp, through: Timestamp, limit: Int = 0
    ) throws(SelectError) -> [String] {
        let sets = try labelSets(matching: matching, from: from, through: through)
        return cut(distinct(sets.flatMap { $0.pairs.map(\.name) }), limit)
    }

    /// The values of the label `name` among those series, sorted.
    public func labelValues(
        _ name: String, matching: [[Matcher]], from: Timestamp, through: Timestamp, limit: Int = 0
    ) throws(SelectError) -> [String] {
        let sets = try labelSets(matching: matching, from: from, through: through)
        return cut(distinct(sets.compactMap { $0[name] }), limit)
    }

    /// The lanes that hold series which fit `matchers`.
    public func lanes(matching matchers: [Matcher]) throws(SelectError) -> Set<LaneID> {
        Set(try find([matchers]).flatMap { $0.1.map(\.lane) })
    }

    private func distinct(_ texts: [String]) -> [String] {
        var result: [String] = []
        for text in texts.sorted(by: ByteOrder.precedes) {
            if let last = result.last, ByteOrder.equal(last, text) { continue }
            result.append(text)
        }
        return result
    }

    private func cut<Element>(_ elements: [Element], _ limit: Int) -> [Element] {
        limit > 0 ? Array(elements.prefix(limit)) : elements
    }

    private func find(_ sets: [[Matcher]]) throws(SelectError) -> [(Labels, [Series])] {
        var compiled: [[(Matcher, RegularExpression?)]] = []
        for matchers in sets {
            var list: [(Matcher, RegularExpression?)] = []
            for matcher in matchers {
                switch matcher.operation {
                case .equal, .notEqual: list.append((matcher, nil))
                case .regex, .notRegex:
                    do throws(RegularExpression.PatternError) {
                        list.append((matcher, try RegularExpression(matcher.value)))
                    } catch { throw SelectError(.badMatcher, error.description) }
                }
            }
            compiled.append(list)
        }
        return state.withLock { state in
            state.byKey.compactMap { labels, ids in
                let fits =
                    compiled.isEmpty
                    || compiled.contains { list in
                        list.allSatisfy { matcher, pattern in
                            let value = labels[matcher.name] ?? ""
                            return switch matcher.operation {
                            case .equal: ByteOrder.equal(value, matcher.value)
                            case .notEqual: !ByteOrder.equal(value, matcher.value)
                            case .regex: pattern?.matchesWhole(value) ?? false
                            case .notRegex: !(pattern?.matchesWhole(value) ?? false)
                            }
                        }
                    }
                return fits ? (labels, ids.map { state.series[Int($0)] }) : nil
            }.sorted { $0.0 < $1.0 }
        }
    }

    func slot(for labels: Labels, lane: LaneID) throws(StoreError) -> RingSlot {
        state.withLock { state in
            if let known = state.byKey[labels]?.first(where: { state.series[Int($0)].lane == lane }) {
                state.series[Int(known)].live = true
                return RingSlot(known)
            }
            state.series.append(Series(labels: labels, lane: lane))
            state.generation += 1
            state.byKey[labels, default: []].append(UInt32(state.series.count - 1))
            return RingSlot(UInt32(state.series.count - 1))
        }
    }

    func outcome(of sample: PendingSample, after earlier: PendingSample?, lane: LaneID) -> AppendOutcome {
        state.withLock { state in
            guard Int(sample.slot.rawValue) < state.series.count, state.series[Int(sample.slot.rawValue)].live else {
                return .unknownSlot
            }
            guard let newest = earlier ?? state.series[Int(sample.slot.rawValue)].samples.last else { return .appended }
            if sample.time > newest.time { return .appended }
            if sample.time < newest.time { return .outOfOrder }
            let same =
                sample.value.bitPattern == newest.value.bitPattern && sample.histogram == newest.histogram
            return same ? .alreadyPresent : .duplicateTimestamp
        }
    }

    func commit(_ samples: [PendingSample], lane: LaneID) throws(StoreError) {
        state.withLock { state in
            for sample in samples { state.series[Int(sample.slot.rawValue)].samples.append(sample) }
        }
    }

    func retire(_ slot: RingSlot, lane: LaneID) {
        state.withLock { $0.series[Int(slot.rawValue)].live = false }
    }

    func closeLane(_ id: LaneID) {
        state.withLock { state in
            _ = state.open.remove(state.lanes[Int(id.rawValue)])
            for index in state.series.indices where state.series[index].lane == id { state.series[index].live = false }
        }
    }
}
