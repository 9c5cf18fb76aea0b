internal import MetricModel

/// What matchers found in the index: series, and where their samples lie.
///
/// Immutable. Holds as long as the index has the version it was taken at; kept by those who ask the same again and again,
/// so that they pay for matching and for making labels only when series have changed.
public struct SeriesSelection: Sendable {
    struct Part {
        /// Index in `lanes`.
        var lane: Int
        var location: SeriesIndex.Location
        var companions: SeriesIndex.Companions
    }

    let core: StoreCore
    let version: UInt64
    private(set) var series: [(labels: Labels, parts: Range<Int>)] = []
    private(set) var parts: [Part] = []
    private(set) var lanes: [Lane] = []

    /// Where the series with these ids lie. Under the index lock.
    init(_ ids: [UInt32], _ catalog: borrowing StoreCore.Catalog, _ core: StoreCore) {
        self.core = core
        version = catalog.index.version
        series.reserveCapacity(ids.count)
        parts.reserveCapacity(ids.count)
        var numbers: [UInt32: Int] = [:]
        var latest: (id: UInt32, number: Int)?
        for id in ids {
            let start = parts.count
            catalog.index.forEachLocation(of: id) { location in
                let number: Int
                if let latest, latest.id == location.lane {
                    number = latest.number
                } else if let known = numbers[location.lane] {
                    number = known
                } else if let lane = catalog.lanes[location.lane] {
                    lanes.append(lane)
                    number = lanes.count - 1
                    numbers[location.lane] = number
                } else {
                    return
                }
                latest = (location.lane, number)
                parts.append(
                    Part(lane: number, location: location, companions: catalog.index.companions(of: location)))
            }
            if parts.count - start > 1 {
                parts[start...].sort {
                    ($0.location.lane, $0.location.birth) < ($1.location.lane, $1.location.birth)
                }
            }
            series.append((catalog.index.labels(of: id), start..<parts.count))
        }
    }
}
