public import MetricModel
internal import Synchronization

extension MetricStore {
    /// The samples in `from...through` of every series that fits all `matchers`.
    ///
    /// Staleness markers are among them. A label set that lives in several lanes comes out once; where two lanes have a sample
    /// at the same time, the older lane's counts. Fails when more than `sampleLimit` samples would come out.
    public func select(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp, sampleLimit: Int
    ) throws(SelectError) -> [SeriesSamples] {
        let found = try find([matchers], from, through)
        var result: [SeriesSamples] = []
        result.reserveCapacity(found.series.count)
        var total = 0
        for series in found.series {
            var samples = ReadSamples()
            for part in found.parts[series.parts] {
                let read = found.windows[part.window].read(part.location, part.companions)
                if samples.count == 0 { samples = read } else { samples.merge(read) }
            }
            if samples.count == 0 { continue }
            total += samples.count
            guard total <= sampleLimit else {
                throw SelectError(.sampleLimit, "the query would load more than \(sampleLimit) samples")
            }
            result.append(
                SeriesSamples(
                    labels: series.labels, timestamps: samples.timestamps, values: samples.values,
                    histograms: samples.histograms))
        }
        return result
    }

    /// The label sets that fit any of the matcher lists, sorted; no list at all means every series.
    ///
    /// Looks no closer than at chunks: a series is among them if its lane has a chunk that overlaps `from...through` while the
    /// series was alive. `limit` cuts the answer; 0 is no limit.
    public func labelSets(
        matching: [[Matcher]], from: Timestamp, through: Timestamp, limit: Int = 0
    ) throws(SelectError) -> [Labels] {
        cut(try present(matching, from, through).sorted(), limit)
    }

    /// The names of the labels of those series, sorted.
    public func labelNames(
        matching: [[Matcher]], from: Timestamp, through: Timestamp, limit: Int = 0
    ) throws(SelectError) -> [String] {
        let names = try present(matching, from, through).lazy.flatMap { $0.pairs.map(\.name) }
        return cut(distinct(names), limit)
    }

    /// The values of the label `name` among those series, sorted.
    public func labelValues(
        _ name: String, matching: [[Matcher]], from: Timestamp, through: Timestamp, limit: Int = 0
    ) throws(SelectError) -> [String] {
        cut(distinct(try present(matching, from, through).lazy.compactMap { $0[name] }), limit)
    }

    /// The lanes that hold series which fit `matchers`.
    public func lanes(matching matchers: [Matcher]) throws(SelectError) -> Set<LaneID> {
        let compiled = try compile(matchers)
        return core.catalog.read { catalog in
            var lanes: Set<LaneID> = []
            for series in catalog.index.series(matching: compiled) {
                catalog.index.forEachLocation(of: series) { lanes.insert(LaneID($0.lane)) }
            }
            return lanes
        }
    }

    // MARK: Finding

    /// What fits, and where it lies.
    private struct Found {
        struct Part {
            var window: Int
            var location: SeriesIndex.Location
            var companions: SeriesIndex.Companions
        }
        var series: [(labels: Labels, parts: Range<Int>)] = []
        var parts: [Part] = []
        var windows: [LaneWindow] = []
    }

    private func compile(_ matchers: [Matcher]) throws(SelectError) -> [CompiledMatcher] {
        var compiled: [CompiledMatcher] = []
        for matcher in matchers { compiled.append(try CompiledMatcher(matcher)) }
        return compiled
    }

    private func find(
        _ lists: [[Matcher]], _ from: Timestamp, _ through: Timestamp
    ) throws(SelectError) -> Found {
        var compiled: [[CompiledMatcher]] = []
        for matchers in lists { compiled.append(try compile(matchers)) }
        var found = Found()
        var lanes: [(lane: Lane, active: ActiveChunk?, head: Int)] = []
        try core.catalog.read { catalog throws(SelectError) in
            guard !catalog.isClosed else { throw SelectError(.unavailable, "the store is closed") }
            var numbers: [UInt32: Int] = [:]
            var latest: (id: UInt32, number: Int)?
            for series in Self.matching(compiled, catalog.index) {
                let start = found.parts.count
                catalog.index.forEachLocation(of: series) { location in
                    let number: Int
                    if let latest, latest.id == location.lane {
                        number = latest.number
                    } else if let known = numbers[location.lane] {
                        number = known
                    } else if let lane = catalog.lanes[location.lane] {
                        // Companions that rows below this head need are in the index already: they are entered under the
                        // lock before the row is committed.
                        lanes.append((lane, lane.active, lane.committedRows))
                        number = lanes.count - 1
                        numbers[location.lane] = number
                    } else {
                        return
                    }
                    latest = (location.lane, number)
                    found.parts.append(
                        .init(
                            window: number, location: location, companions: catalog.index.companions(of: location)))
                }
                if found.parts.count - start > 1 {
                    found.parts[start...].sort {
                        ($0.location.lane, $0.location.birth) < ($1.location.lane, $1.location.birth)
                    }
                }
                found.series.append((catalog.index.labels(of: series), start..<found.parts.count))
            }
        }
        let pins = SegmentPins(core.segments)
        found.windows = lanes.map {
            LaneWindow(
                $0.lane, $0.active, head: $0.head, pins: pins, from: from.milliseconds,
                through: through.milliseconds)
        }
        return found
    }

    private static func matching(_ lists: [[CompiledMatcher]], _ index: borrowing SeriesIndex) -> [UInt32] {
        if lists.count <= 1 { return index.series(matching: lists.first ?? []) }
        var all: Set<UInt32> = []
        for list in lists { all.formUnion(index.series(matching: list)) }
        return all.sorted()
    }

    private func present(
        _ matching: [[Matcher]], _ from: Timestamp, _ through: Timestamp
    ) throws(SelectError) -> [Labels] {
        let found = try find(matching, from, through)
        return found.series.filter { series in
            found.parts[series.parts].contains { found.windows[$0.window].overlaps($0.location) }
        }.map(\.labels)
    }

    private func distinct(_ texts: some Sequence<String>) -> [String] {
        var symbols = SymbolTable()
        for text in texts { _ = symbols.retain(text) }
        return symbols.all.sorted(by: ByteOrder.precedes)
    }

    private func cut<Element>(_ elements: [Element], _ limit: Int) -> [Element] {
        limit > 0 ? Array(elements.prefix(limit)) : elements
    }
}
