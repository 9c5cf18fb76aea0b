internal import Synchronization

/// What a store's lanes share.
final class StoreCore: Sendable {
    /// Everything the index lock guards.
    struct Catalog {
        var index = SeriesIndex()
        /// Lanes with samples, by id.
        var lanes: [UInt32: Lane] = [:]
        var openNames: Set<String> = []
        var nextLane: UInt32 = 0
        var isClosed = false
    }

    let catalog = Guarded(Catalog())
    let segments: SegmentLog
    let maximumSeries: Int
    /// Changes with the set of series.
    let generation = Atomic<UInt64>(0)
    /// Chunks that could not be sealed for lack of memory.
    let lostChunks = Atomic<UInt64>(0)

    init(_ configuration: StoreConfiguration) {
        segments = SegmentLog(directory: configuration.directory, budget: configuration.retentionBytes)
        maximumSeries = configuration.maximumSeries
    }

    func seriesChanged() {
        generation.wrappingAdd(1, ordering: .relaxed)
    }
}
