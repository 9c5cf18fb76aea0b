public import MetricModel

/// The series that matchers found in the index, and where their samples are.
///
/// Immutable, and compared by identity: a scan gives the same object again as long as the same series match, so that
/// whatever is worked out from a set of series can be kept with it. Costs some 12 bytes a series, and the labels if
/// they were asked for.
///
/// The series of a lane are adjacent, in the order of their slots; those whose samples are in several places, or do not
/// fit into rows, come last.
public final class StoreSelection: SeriesSelection {
    /// Neighbouring series of one block of a lane, which can be read together.
    struct Bundle {
        /// Index in `lanes`.
        var lane: Int
        /// The block of the lane's slots.
        var block: Int
        /// Their numbers in the selection.
        var series: Range<Int>
        /// The chunks in which every series of the bundle was alive.
        var birth: UInt32
        var death: UInt32
    }

    /// One place of a series that has several, or that has companions.
    struct Part {
        /// Index in `lanes`.
        var lane: Int
        var location: SeriesIndex.Location
        var companions: SeriesIndex.Companions
    }

    let core: StoreCore
    /// The state of the index that this was taken from.
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
    /// Whether some series of the store describes its type or unit in a label, which goes where the metric's name goes.
    public let mayHaveMetadataLabels: Bool
    /// Whether all series have the same name, and differ in other labels than those that describe a metric.
    public var isOneMetric: Bool { watch.isOneName && !mayHaveMetadataLabels }

    /// About how much memory this takes, with what is usually derived from the labels: the same without names, and a
    /// table.
    public let retainedBytes: Int

    /// The number of series.
    public var count: Int { columns.count + loose.count }

    /// Where the series with these ids lie. Under the index lock.
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

    /// Whether this still says where the series that fit its matchers lie. Under the index lock.
    func holds(_ wanted: LabelDemand, _ catalog: borrowing StoreCore.Catalog, _ other: StoreCore) -> Bool {
        core === other && demand == wanted && catalog.index.lastChange(watch) <= version
    }

    /// The places of a series, at least one.
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

/// Puts the locations of series into the order in which they are read.
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

    /// Notes where `id` lies.
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

    /// Makes bundles once every series is there.
    mutating func arrange() {
        let count = singles.reduce(0) { $0 + $1.count }
        columns.reserveCapacity(count)
        births.reserveCapacity(count)
        deaths.reserveCapacity(count)
        order.reserveCapacity(count + loose.count)
        for lane in singles.indices {
            // Mostly in order already: a target's series get their ids and their slots one after the other.
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
