public import MetricModel
internal import Synchronization

extension MetricStore: Queryable {
    /// The samples in `from...through` of every series that matches all `matchers`.
    ///
    /// Staleness markers are included. A label set in several lanes is returned once; at equal times, the sample of the
    /// older lane is used. Throws if the result would have more than `sampleLimit` samples.
    public func select(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp, sampleLimit: Int
    ) throws(SelectError) -> [SeriesSamples] {
        var selection: StoreSelection?
        let scan = try scan(matching: matchers, from: from, through: through, remembering: &selection)
        guard case .each(let labels) = scan.selected.labelling else { return [] }
        let mask = mask(from, through)
        var result: [SeriesSamples] = []
        result.reserveCapacity(labels.count)
        var total = 0
        for series in labels.indices {
            var samples = scan.samples(of: series)
            if !mask.isEmpty { samples.remove(mask.windows(labels[series])) }
            if samples.count == 0 { continue }
            total += samples.count
            guard total <= sampleLimit else {
                throw SelectError(.sampleLimit, "the query would load more than \(sampleLimit) samples")
            }
            samples.labels = labels[series]
            result.append(samples)
        }
        return result
    }

    /// A scan of the samples that `select` would return, for reading piece by piece.
    ///
    /// The series found in the index are kept in `selection` for the next call with the same matchers. It searches
    /// again only if series of that metric were added or removed; otherwise the scan has the same selection.
    public func scan(
        matching matchers: [Matcher], from: Timestamp, through: Timestamp, labels: LabelDemand = .each,
        remembering selection: inout StoreSelection?
    ) throws(SelectError) -> StoreScan {
        let scan = try scan([matchers], from, through, labels, selection)
        selection = scan.selected
        return scan
    }

    /// See ``scan(matching:from:through:labels:remembering:)``. `nil` if samples in the window were deleted: those are
    /// removed from series one by one.
    public func scan(
        _ matchers: [Matcher], from: Timestamp, through: Timestamp, labels: LabelDemand,
        remembering selection: inout (any SeriesSelection)?
    ) throws(SelectError) -> (any SeriesScan)? {
        guard mask(from, through).isEmpty else { return nil }
        let known = selection as? StoreSelection
        let scan = try scan([matchers], from, through, labels, known)
        if scan.selected !== known { selection = scan.selected }
        return scan
    }

    /// The label sets that match any of the matcher lists, sorted. Without a list, every series matches.
    ///
    /// Returns those with samples in `from...through`. For a sealed chunk completely in it, the series that were alive
    /// count. `limit` is the maximum number of results; 0 is no limit.
    public func labelSets(
        matching: [[Matcher]], from: Timestamp, through: Timestamp, limit: Int = 0
    ) throws(SelectError) -> [Labels] {
        cut(try present(matching, from, through).sorted(), limit)
    }

    /// The label names of those series, sorted.
    public func labelNames(
        matching: [[Matcher]], from: Timestamp, through: Timestamp, limit: Int = 0
    ) throws(SelectError) -> [String] {
        let names = try present(matching, from, through).lazy.flatMap { $0.pairs.map(\.name) }
        return cut(distinct(names), limit)
    }

    /// The values of the label `name` in those series, sorted.
    public func labelValues(
        _ name: String, matching: [[Matcher]], from: Timestamp, through: Timestamp, limit: Int = 0
    ) throws(SelectError) -> [String] {
        cut(distinct(try present(matching, from, through).lazy.compactMap { $0[name] }), limit)
    }

    /// The lanes with series that match `matchers`.
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

    private func compile(_ matchers: [Matcher]) throws(SelectError) -> [CompiledMatcher] {
        var compiled: [CompiledMatcher] = []
        for matcher in matchers { compiled.append(try CompiledMatcher(matcher)) }
        return compiled
    }

    /// The series that match any of the lists, and the rows of their lanes that the query sees.
    ///
    /// - Parameter known: the selection that the same lists returned before.
    private func scan(
        _ lists: [[Matcher]], _ from: Timestamp, _ through: Timestamp, _ demand: LabelDemand = .each,
        _ known: StoreSelection? = nil
    ) throws(SelectError) -> StoreScan {
        var heads: [LaneHead] = []
        let found = try core.catalog.read { catalog throws(SelectError) in
            guard !catalog.isClosed else { throw SelectError(.unavailable, "the store is closed") }
            let found: StoreSelection
            if let known, known.holds(demand, catalog, core) {
                found = known
            } else {
                var compiled: [[CompiledMatcher]] = []
                for matchers in lists { compiled.append(try compile(matchers)) }
                found = StoreSelection(
                    Self.matching(compiled, catalog.index), demand, SeriesIndex.Watch(any: lists), catalog, core)
            }
            heads = Self.heads(of: found)
            return found
        }
        return scan(found, heads, from, through)
    }

    /// The committed rows of a lane, as one query sees them.
    private typealias LaneHead = (active: ActiveChunk?, head: Int)

    /// Called under the index lock. Companions needed by rows below these heads are already in the index, because they
    /// are added under the lock before the row is committed.
    private static func heads(of selection: StoreSelection) -> [LaneHead] {
        selection.lanes.map { ($0.active, $0.committedRows) }
    }

    private func scan(
        _ found: StoreSelection, _ heads: [LaneHead], _ from: Timestamp, _ through: Timestamp
    ) -> StoreScan {
        let pins = SegmentPins(core)
        let windows = zip(found.lanes, heads).map { lane, head in
            LaneWindow(
                lane, head.active, head: head.head, pins: pins, from: from.milliseconds,
                through: through.milliseconds)
        }
        return StoreScan(found, windows, from: from.milliseconds, through: through.milliseconds)
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
        let scan = try scan(matching, from, through)
        guard case .each(let labels) = scan.selected.labelling else { return [] }
        let mask = mask(from, through)
        let present = labels.indices.filter { series in
            guard scan.overlaps(series) else { return false }
            let windows = mask.windows(labels[series])
            if windows.isEmpty { return true }
            var samples = scan.samples(of: series)
            samples.remove(windows)
            return samples.count > 0
        }
        return present.map { labels[$0] }
    }

    private func mask(_ from: Timestamp, _ through: Timestamp) -> TombstoneSet.Mask {
        core.tombstones.mask(from.milliseconds...max(from, through).milliseconds)
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
