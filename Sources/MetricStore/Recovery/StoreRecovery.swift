internal import Glibc
internal import MetricModel
internal import Runtime
internal import Synchronization

/// Restores the store of an earlier process from a directory.
///
/// The series log has the lanes, series and slots, the segments have the sealed chunks, and the row log has the active
/// chunks. The series log is then rewritten with the records that are still needed.
///
/// Independent steps run in parallel: the series log is replayed while segments are checked and rows are read
/// (``RecoveredSamples``), and it is rewritten while the store is already in use.
struct StoreRecovery {
    private(set) var notes: [String] = []
    private let path: String
    private var replay = SeriesReplay()

    /// Restores the store in `path`, or creates one. Returns its core and notes about data that were renamed or
    /// skipped.
    static func run(
        _ path: String, _ configuration: StoreConfiguration
    ) throws(StoreError) -> (core: StoreCore, notes: [String]) {
        try StoreDirectory.prepare(path)
        let lock = try OpenFile(locking: "\(path)/lock")
        var recovery = StoreRecovery(path: path)
        let core = try recovery.run(configuration, lock)
        return (core, recovery.notes)
    }

    private init(path: String) {
        self.path = path
    }

    private mutating func run(
        _ configuration: StoreConfiguration, _ lock: consuming OpenFile
    ) throws(StoreError) -> StoreCore {
        let file = try openLog()
        let store = file?.store ?? UInt64.random(in: .min ... .max)
        let directory = StoreDirectory(path: path, store: store)
        let log = SeriesLog(lock: lock)
        var core = StoreCore(configuration, directory, log)
        let lost = file.map { unsafe SeriesReplay.lostRevisions($0.mapping.bytes) } ?? []
        let reading = Overlapped("store-samples") { [core] in RecoveredSamples.read(core, .all(but: lost)) }
        if let file { replayLog(file.mapping) }
        var samples = try reading.value().get()
        notes += samples.notes
        var revisions = replay.revisions
        let isLogShort = samples.newestRevision > revisions.current
        if isLogShort {
            // Rare enough to read everything again. The damage in the files has been noted.
            core = StoreCore(configuration, directory, log)
            samples = try RecoveredSamples.read(core, revisions).get()
            notes.append(
                "the end of \(path)/series.log is lost: \(samples.leftOut.last ?? 0) chunks and commits that were stored after "
                    + "it are ignored")
        }
        // Lost revisions that no file names any more are removed.
        revisions.lost = zip(revisions.lost, samples.leftOut).filter { $1 > 0 }.map(\.0)
        revisions.lose(through: samples.newestRevision)
        var catalog = StoreCore.Catalog()
        for state in replay.lanes {
            let lane = try state.makeLane(samples.lanes[state.id], core)
            catalog.lanes[state.id] = lane
            if state.finalHead == nil { catalog.orphans[state.name] = state.id }
            catalog.nextLane = max(catalog.nextLane, state.id &+ 1)
        }
        // A lane id is not reused while segments may still have records with it.
        catalog.nextLane = max(catalog.nextLane, samples.lanes.keys.max().map { $0 &+ 1 } ?? 0)
        catalog.index = replay.takeIndex()
        forgetLost(&catalog, core)
        try resume(catalog.lanes, samples, catalog.index, core)
        // If no chunk of a lane is sealed, the rows determine which chunks are lost.
        forgetLost(&catalog, core)
        _ = catalog.index.takeMadePairs()
        log.begin(catalog, revisions, directory)
        if isLogShort {
            // Everything written from now on names a revision that only the new file has.
            do throws(StoreError) { try log.settle() } catch { notes.append(error.message) }
        }
        rewriteBroken(samples, catalog)
        catalog.index.checkInvariants()
        for lane in catalog.lanes.values { lane.checkInvariants() }
        core.catalog.write { $0 = catalog }
        core.exemplars.restore(from: directory)
        return core
    }

    /// Removes series whose chunks are lost, and lanes without series.
    private func forgetLost(_ catalog: inout StoreCore.Catalog, _ core: StoreCore) {
        let blocks = core.blocks.pin()
        for (id, lane) in catalog.lanes {
            let first = core.oldestChunk(of: lane, blocks)
            if first > 0 { _ = catalog.index.forget(lane: id, through: UInt32(first - 1)) }
            if lane.active == nil, lane.finalHead <= first * ColumnCodec.rows { catalog.lanes[id] = nil }
        }
    }

    /// Continues the lanes after the restored rows.
    private mutating func resume(
        _ lanes: [UInt32: Lane], _ samples: RecoveredSamples, _ index: borrowing SeriesIndex, _ core: StoreCore
    ) throws(StoreError) {
        for state in replay.lanes {
            guard let lane = lanes[state.id], lane.active != nil else { continue }
            let rows = samples.lanes[state.id]?.rows ?? RestoredRows(chunk: 0)
            if let note = rows.note { notes.append("lane \(lane.name): \(note)") }
            try lane.resume(state, rows, index: index)
        }
        core.rowLog?.recovered()
    }

    /// Rewrites the rows of lanes that lost some in the middle, so that new rows follow complete ones.
    private func rewriteBroken(_ samples: RecoveredSamples, _ catalog: borrowing StoreCore.Catalog) {
        for (id, found) in samples.lanes where found.rows.note != nil {
            guard let lane = catalog.lanes[id], let active = lane.active else { continue }
            do throws(StoreError) { try lane.rewriteRows(active, through: .max) } catch {
                // The disk is full: the next restart finds rows up to the gap, and all rows from the next chunk on.
            }
        }
    }

    // MARK: Series log

    /// The log and the store's number; `nil` for a new store.
    private mutating func openLog() throws(StoreError) -> (mapping: Mapping, store: UInt64)? {
        let name = "\(path)/series.log"
        guard unsafe access(name, F_OK) == 0 else {
            setAsideEverything(because: nil)
            return nil
        }
        let file = try OpenFile(name, create: false)
        let size = file.size
        guard size >= SeriesLog.headerSize else {
            setAsideEverything(because: "\(name) is truncated")
            return nil
        }
        let mapping = try Mapping(file, offset: 0, count: size)
        let bytes = unsafe UnsafeRawBufferPointer(start: mapping.base, count: size)
        let store = unsafe bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
        let isKnown = SeriesLog.versions.contains { version in
            unsafe bytes.prefix(SeriesLog.headerSize).elementsEqual(SeriesLog.header(store: store, version: version))
        }
        guard isKnown else {
            setAsideEverything(because: "\(name) is not a series log of this version")
            return nil
        }
        return (mapping, store)
    }

    private mutating func replayLog(_ mapping: Mapping) {
        let bytes = unsafe mapping.bytes
        let end = unsafe replay.replay(bytes)
        guard end < bytes.count else { return }
        notes.append("\(path)/series.log: the last \(bytes.count - end) bytes are torn or damaged and dropped")
    }

    /// Renames all files: without a series log, the series of their samples are unknown.
    private mutating func setAsideEverything(because reason: String?) {
        for name in ["series.log", "segments", "blocks", "rows", "lanes", "exemplars.log"] {
            let file = "\(path)/\(name)"
            let isEmpty = !name.hasSuffix(".log") && StoreDirectory.numbers(in: file).isEmpty
            guard unsafe access(file, F_OK) == 0, !isEmpty else { continue }
            notes.append("\(reason ?? "\(path)/series.log is missing"): \(StoreDirectory.setAside(file))")
        }
        do throws(StoreError) { try StoreDirectory.prepare(path) } catch {
            // The error appears again when the first file is created there.
            notes.append(error.message)
        }
    }
}
