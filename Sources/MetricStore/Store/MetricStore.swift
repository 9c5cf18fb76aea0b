public import Instrumentation
public import MetricModel
internal import Synchronization

/// Keeps the samples of all series in rings, one per writer, and answers queries for them.
///
/// Made once by the composition root and shared by all threads. Appending and reading samples of known series takes no
/// lock; creating and removing series, and finding the series that fit matchers, does for a short time.
public final class MetricStore: Sendable {
    let core: StoreCore
    private let retention: Int64
    /// Bytes of sealed chunks that one call of `maintain` checks after a restart: some 30 ms, and a day's within ten
    /// calls.
    private static let checkedAtOnce = 64 << 20
    /// When `maintain` was first called.
    private let orphansKnownSince = Mutex<Timestamp?>(nil)

    /// The damage that a restart found, and set aside or skipped, a line each, for the log. Samples that are found
    /// damaged later are in ``takeNotes()``.
    public let recoveryNotes: [String]

    /// An empty store, or the one that `configuration.directory` holds.
    ///
    /// All committed samples are there again. Lanes come back under their names: `openLane` gives the same lane with
    /// the same slots, and `maintain` closes those that nobody has opened within an hour.
    public init(_ configuration: StoreConfiguration, registry: Registry?) throws(StoreError) {
        if let path = configuration.directory {
            (core, recoveryNotes) = try StoreRecovery.run(path, configuration)
        } else {
            core = StoreCore(configuration, nil, nil)
            recoveryNotes = []
        }
        retention = configuration.retentionMilliseconds
        if let registry {
            register(in: registry)
            registerExemplars(in: registry)
        }
    }

    deinit {
        // Lanes and the core hold each other.
        close()
    }

    /// The lane called `name` for its one writer.
    public func openLane(_ name: String) throws(StoreError) -> Lane {
        try core.catalog.write { catalog throws(StoreError) in
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
            let lane = Lane(id: LaneID(id), name: name, core: core, active: active)
            core.log?.add(.lane(id, name: name))
            try core.log?.flush()
            catalog.nextLane += 1
            catalog.openNames.insert(name)
            catalog.lanes[id] = lane
            return lane
        }
    }

    /// Ends the store: new lanes, new series and queries fail from now on.
    public func close() {
        core.writeExemplars()
        do throws(StoreError) { try core.log?.settle() } catch {
            // Only a shorter version of the log could not be written; the old file stays.
        }
        core.catalog.write { catalog in
            catalog.isClosed = true
            catalog.lanes = [:]
        }
    }

    /// The damage found since the last call, a line each, for the log. A restart leaves the checksums of most sealed
    /// samples to the first query that reads them, and to ``maintain(now:)``, which checks all of them within seconds.
    public func takeNotes() -> [String] { core.segments.takeNotes() + core.exemplars.takeNotes() }

    /// Drops samples older than the retention, forgets series and lanes without samples, releases the memory that
    /// queries have taken by looking at files, checks some of what an earlier process wrote, and writes down new
    /// exemplars. Call it every few seconds, from one thread at a time.
    public func maintain(now: Timestamp) {
        core.segments.drop(before: now.milliseconds &- retention)
        let lost = core.segments.takeDropped()
        var removed = 0
        for (id, chunk) in lost {
            guard let lane = core.catalog.read({ $0.lanes[id] }) else { continue }
            lane.directory.lose(before: Int(chunk) + 1)
            core.catalog.write { catalog in
                removed += catalog.index.forget(lane: id, through: chunk)
                if lane.active == nil, lane.finalHead <= (Int(chunk) + 1) * ColumnCodec.rows {
                    catalog.lanes[id] = nil
                }
            }
        }
        if removed > 0 {
            core.seriesChanged()
            core.catalog.read { $0.index.checkInvariants() }
        }
        core.segments.releaseRead()
        checkSealed()
        rewriteOverdueRows()
        compactLog()
        core.writeExemplars()
        closeOrphans(now)
    }

    /// Rewrites the series log once most of it is about removed series.
    private func compactLog() {
        guard let log = core.log, let directory = core.directory, log.isWorthCompacting else { return }
        core.catalog.read { catalog in
            do throws(StoreError) { try log.compact(catalog, directory) } catch {
                // No room on the disk; the present file stays until the next call.
            }
        }
    }

    /// Looks whether the next sealed chunks that an earlier process left are whole; those that are not leave their
    /// lanes.
    private func checkSealed() {
        core.segments.checkSome(Self.checkedAtOnce) { header, place, isWhole in
            let lane = core.catalog.read { $0.lanes[header.lane] }
            lane?.directory.replace(place, of: Int(header.chunk), by: isWhole ? place.checked : nil)
        }
    }

    /// Frees row log files that slow lanes hold back.
    private func rewriteOverdueRows() {
        guard let file = core.rowLog?.overdue else { return }
        let lanes = core.catalog.read { catalog in
            catalog.lanes.values.compactMap { lane in lane.active.map { (lane, $0) } }
        }
        for (lane, active) in lanes {
            do throws(StoreError) { try lane.rewriteRows(active, through: file) } catch {
                // No room on the disk; the files stay as they are until the next call.
                return
            }
        }
    }

    /// Closes the lanes that nobody has opened for an hour after the restart.
    private func closeOrphans(_ now: Timestamp) {
        let started = orphansKnownSince.withLock { started in
            if started == nil { started = now }
            return started ?? now
        }
        guard now - started > .hours(1) else { return }
        let orphans = core.catalog.write { catalog in
            defer { catalog.orphans = [:] }
            return catalog.orphans.values.compactMap { catalog.lanes[$0] }
        }
        for lane in orphans { lane.close() }
    }

    /// Changes whenever a series appears or disappears.
    public var seriesGeneration: UInt64 { core.generation.load(ordering: .relaxed) }
}
