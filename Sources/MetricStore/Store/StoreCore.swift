internal import Synchronization

/// The parts of a store that its lanes share.
final class StoreCore: Sendable {
    /// The state under the index lock.
    struct Catalog {
        var index = SeriesIndex()
        /// Lanes with samples, by id.
        var lanes: [UInt32: Lane] = [:]
        var openNames: Set<String> = []
        /// Lanes of an earlier process, by name, that were not opened yet.
        var orphans: [String: UInt32] = [:]
        var nextLane: UInt32 = 0
        var isClosed = false
    }

    let catalog = Guarded(Catalog())
    let segments: SegmentLog
    let blocks: BlockStore
    /// The longest time range of a block, so that retention by time is precise enough.
    let blockSpan: Int64
    /// `nil` for a store in memory.
    let directory: StoreDirectory?
    let log: SeriesLog?
    let rowLog: RowLog?
    let maximumSeries: Int
    let tombstones: TombstoneSet
    let exemplars: ExemplarStorage
    let exemplarLog: ExemplarLog?
    /// Changes with the set of series.
    let generation = Atomic<UInt64>(0)
    /// Failed attempts to seal a chunk, because memory or disk space ran out.
    let failedSeals = Atomic<UInt64>(0)
    /// The time of the newest committed sample; `Int64.min` in an empty store.
    let newestTime = Atomic<Int64>(.min)
    /// How much older than ``newestTime`` an out-of-order sample may be, in milliseconds; 0 refuses all.
    let outOfOrderWindow = Atomic<Int64>(0)
    /// Out-of-order samples stored by this process.
    let outOfOrderSamples = Atomic<UInt64>(0)

    init(_ configuration: StoreConfiguration, _ directory: StoreDirectory?, _ log: SeriesLog?) {
        self.directory = directory
        self.log = log
        rowLog = directory.map { RowLog($0, budget: configuration.rowLogBudget) }
        segments = SegmentLog(
            directory: directory, budget: configuration.retentionBytes,
            retention: configuration.retentionMilliseconds, span: configuration.segmentSpan)
        blocks = BlockStore(directory: directory)
        blockSpan = min(max(configuration.retentionMilliseconds / 12, 1), configuration.blockSpan)
        maximumSeries = configuration.maximumSeries
        tombstones = TombstoneSet(path: directory?.tombstones)
        exemplars = ExemplarStorage(capacity: configuration.maximumExemplars)
        exemplarLog = directory.map { ExemplarLog($0) }
    }

    /// The oldest chunk of `lane` that can still be read.
    func oldestChunk(of lane: Lane, _ blocks: BlockList) -> Int {
        let first = lane.directory.first.load(ordering: .acquiring)
        return min(first, blocks.firstChunk(of: lane.id.rawValue) ?? first)
    }

    /// The lane named `name`, for its only writer.
    func openLane(_ name: String) throws(StoreError) -> Lane {
        try catalog.write { catalog throws(StoreError) in
            guard !catalog.isClosed else { throw StoreError(.closed, "the store is closed") }
            guard !catalog.openNames.contains(name) else {
                throw StoreError(.laneInUse, "lane \(name) already has a writer")
            }
            if let orphan = catalog.orphans.removeValue(forKey: name), let lane = catalog.lanes[orphan] {
                catalog.openNames.insert(name)
                return lane
            }
            let id = catalog.nextLane
            let active = try ActiveChunk()
            let lane = Lane(id: LaneID(id), name: name, core: self, active: active)
            log?.add(.lane(id, name: name))
            try log?.flush()
            catalog.nextLane += 1
            catalog.openNames.insert(name)
            catalog.lanes[id] = lane
            return lane
        }
    }

    /// Writes the exemplars added since the last call to their file.
    func writeExemplars() {
        do throws(StoreError) { try exemplarLog?.write(exemplars) } catch {
            // The disk is full: the next call writes them. After a restart the older ones are restored.
        }
    }

    func seriesChanged() {
        generation.wrappingAdd(1, ordering: .relaxed)
    }
}
