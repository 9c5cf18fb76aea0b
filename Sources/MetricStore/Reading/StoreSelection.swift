public import MetricModel

/// The series that matchers found in the index, and the places of their samples.
///
/// Immutable, and compared by identity: a scan returns the same object while the same series match, so that data
/// derived from a set of series can be cached with it. Costs about 12 bytes per series, plus the labels if they were
/// requested.
///
/// The series of a lane are adjacent, in the order of their slots. Series whose samples are in several places, or not
/// in rows, come last.
public final class StoreSelection: SeriesSelection {
    /// Adjacent series of one block of a lane, which can be read together.
    struct Bundle {
        /// Index in `lanes`.
        var lane: Int
        /// The block of the lane's slots.
        var block: Int
        /// Their indices in the selection.
        var series: Range<Int>
        /// The chunks in which every series of the bundle was alive.
        var birth: UInt32
        var death: UInt32
    }

    /// One place of a series that has several places, or companions.
    struct Part {
        /// Index in `lanes`.
        var lane: Int
        var location: SeriesIndex.Location
        var companions: SeriesIndex.Companions
    }

    let core: StoreCore
    /// The index version from which this was created.
    let version: UInt64
    let watch: SeriesIndex.Watch
    let demand: LabelDemand
    let lanes: [Lane]
    let bundles: [Bundle]
    /// Column, birth and death of each series in a bundle.
    let columns: [UInt8]
    let births: [UInt32]
    let deaths: [UInt32]
    /// The places of each series that is in no bundle.
    let loose: [Range<Int>]
    let parts: [Part]
    /// The labels of the series.
    public let labelling: SelectedLabels
    /// Whether any series of the store has a type or unit label, which is removed together with the metric name.
    public let mayHaveMetadataLabels: Bool
    /// Whether all series have the same name and differ in labels other than type and unit.
    public var isOneMetric: Bool { watch.isOneName && !mayHaveMetadataLabels }

    /// The approximate memory of this and of data usually derived from the labels: the labels without names, and a
    /// table.
    public let retainedBytes: Int

    /// The number of series.
    public var count: Int { columns.count + loose.count }

    /// The places of the series with these ids. Called under the index lock.
    init(
        _ ids: [UInt32], _ demand: LabelDemand, _ watch: SeriesIndex.Watch, _ catalog: borrowing StoreCore.Catalog,
        _ core: StoreCore
    ) {
        self.core = core
        self.watch = watch
        self.demand = demand
        version = catalog.index.version
        var builder = SelectionBuilder()
        for id in ids { builder.add(id, catalog) }
        builder.arrange()
        lanes = builder.lanes
        bundles = builder.bundles
        columns = builder.columns
        births = builder.births
        deaths = builder.deaths
        loose = builder.loose.map(\.parts)
        parts = builder.parts
        let order = builder.order
        switch demand {
        case .each: labelling = .each(order.map { catalog.index.labels(of: $0) })
        case .groups(let names, let without):
            let (group, labels) = catalog.index.groups(of: order, names: names, without: without)
            labelling = .groups(group, labels)
        }
        let places = 64 * bundles.count + 9 * columns.count + 72 * parts.count + 16 * loose.count
        switch labelling {
        case .each(let labels): retainedBytes = places + 2 * labels.reduce(0) { $0 + 40 + 32 * $1.count }
        case .groups(let group, let labels):
            retainedBytes = places + 4 * group.count + labels.reduce(0) { $0 + 80 + 64 * $1.count }
        }
        mayHaveMetadataLabels = catalog.index.hasLabel("__type__") || catalog.index.hasLabel("__unit__")
    }

    /// Whether this is still the correct selection for its matchers. Called under the index lock.
    func holds(_ wanted: LabelDemand, _ catalog: borrowing StoreCore.Catalog, _ other: StoreCore) -> Bool {
        core === other && demand == wanted && catalog.index.lastChange(watch) <= version
    }

    /// Calls `body` with the places of a series, at least one.
    func forEachPart(of series: Int, _ body: (Part) -> Void) {
        if series >= columns.count {
            for part in parts[loose[series - columns.count]] { body(part) }
            return
        }
        let bundle = bundles[bundleIndex(of: series)]
        body(
            Part(
                lane: bundle.lane,
                location: SeriesIndex.Location(
                    lane: 0, slot: RingSlot(block: bundle.block, column: Int(columns[series])), birth: births[series],
                    death: deaths[series]), companions: SeriesIndex.Companions()))
    }

    private func bundleIndex(of series: Int) -> Int {
        var low = 0
        var high = bundles.count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if bundles[middle].series.lowerBound <= series { low = middle } else { high = middle - 1 }
        }
        return low
    }
}

/// Sorts the locations of series into reading order.
private struct SelectionBuilder {
    private struct Single {
        var id: UInt32
        var slot: UInt32
        var birth: UInt32
        var death: UInt32
    }

    private(set) var lanes: [Lane] = []
    private(set) var bundles: [StoreSelection.Bundle] = []
    private(set) var columns: [UInt8] = []
    private(set) var births: [UInt32] = []
    private(set) var deaths: [UInt32] = []
    private(set) var loose: [(id: UInt32, parts: Range<Int>)] = []
    private(set) var parts: [StoreSelection.Part] = []
    /// The ids in the order of the selection.
    private(set) var order: [UInt32] = []
    private var singles: [[Single]] = []
    private var numbers: [UInt32: Int] = [:]
    private var latest: (id: UInt32, number: Int)?

    /// Adds the locations of `id`.
    mutating func add(_ id: UInt32, _ catalog: borrowing StoreCore.Catalog) {
        if let location = catalog.index.onlyLocation(of: id) {
            guard let lane = number(of: location.lane, catalog) else { return }
            singles[lane].append(
                Single(id: id, slot: location.slot.rawValue, birth: location.birth, death: location.death))
            return
        }
        let start = parts.count
        catalog.index.forEachLocation(of: id) { location in
            guard let lane = number(of: location.lane, catalog) else { return }
            parts.append(
                StoreSelection.Part(
                    lane: lane, location: location, companions: catalog.index.companions(of: location)))
        }
        guard parts.count > start else { return }
        parts[start...].sort { ($0.location.lane, $0.location.birth) < ($1.location.lane, $1.location.birth) }
        loose.append((id, start..<parts.count))
    }

    private mutating func number(of id: UInt32, _ catalog: borrowing StoreCore.Catalog) -> Int? {
        if let latest, latest.id == id { return latest.number }
        var number = numbers[id]
        if number == nil, let lane = catalog.lanes[id] {
            number = lanes.count
            numbers[id] = lanes.count
            lanes.append(lane)
            singles.append([])
        }
        if let number { latest = (id, number) }
        return number
    }

    /// Creates the bundles. Called when all series were added.
    mutating func arrange() {
        let count = singles.reduce(0) { $0 + $1.count }
        columns.reserveCapacity(count)
        births.reserveCapacity(count)
        deaths.reserveCapacity(count)
        order.reserveCapacity(count + loose.count)
        for lane in singles.indices {
            // Usually already sorted: the ids and slots of a target's series are assigned one after the other.
            let isOrdered = zip(singles[lane], singles[lane].dropFirst()).allSatisfy { $0.slot < $1.slot }
            if !isOrdered { singles[lane].sort { $0.slot < $1.slot } }
            var bundle: StoreSelection.Bundle?
            for single in singles[lane] {
                let number = columns.count
                let slot = RingSlot(single.slot)
                if var current = bundle, current.block == slot.block {
                    current.series = current.series.lowerBound..<number + 1
                    current.birth = max(current.birth, single.birth)
                    current.death = min(current.death, single.death)
                    bundle = current
                } else {
                    if let bundle { bundles.append(bundle) }
                    bundle = StoreSelection.Bundle(
                        lane: lane, block: slot.block, series: number..<number + 1, birth: single.birth,
                        death: single.death)
                }
                columns.append(UInt8(slot.column))
                births.append(single.birth)
                deaths.append(single.death)
                order.append(single.id)
            }
            if let bundle { bundles.append(bundle) }
        }
        singles = []
        order += loose.map(\.id)
    }
}
