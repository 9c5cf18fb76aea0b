public import Instrumentation
public import MetricModel
internal import Synchronization

/// Stores the samples of all series in rings, one per writer, and reads them for queries.
///
/// Created once by the composition root and shared by all threads. Appending and reading samples of known series takes
/// no lock. Creating and removing series, and finding the series that match matchers, takes a lock for a short time.
public final class MetricStore: Sendable {
    let core: StoreCore
    private let retention: Int64
    private let budget: Int
    /// Bytes of sealed chunks that one call of `maintain` checks after a restart: about 30 ms, and the samples of a day
    /// in about ten calls.
    private static let checkedAtOnce = 64 << 20
    /// The time of the first call of `maintain`.
    private let orphansKnownSince = Mutex<Timestamp?>(nil)

    /// Notes about damage found at the start and about data that were renamed or skipped, one line each, for the log.
    /// ``takeNotes()`` has the damage found later.
    public let recoveryNotes: [String]

    /// A new store, or the one in `configuration.directory`.
    ///
    /// All committed samples are restored. Lanes are restored by name: `openLane` returns the same lane with the same
    /// slots, and `maintain` closes those that were not opened within an hour.
    public init(_ configuration: StoreConfiguration, registry: Registry?) throws(StoreError) {
        if let path = configuration.directory {
            (core, recoveryNotes) = try StoreRecovery.run(path, configuration)
        } else {
            core = StoreCore(configuration, nil, nil)
            recoveryNotes = []
        }
        retention = configuration.retentionMilliseconds
        budget = configuration.retentionBytes
        if let newest = figures().timeRange?.upperBound.milliseconds {
            core.newestTime.max(newest, ordering: .relaxed)
        }
        if let registry {
            register(in: registry)
            registerExemplars(in: registry)
        }
    }

    deinit {
        // Lanes and the core reference each other.
        close()
    }

    /// The lane named `name`, for its only writer.
    public func openLane(_ name: String) throws(StoreError) -> Lane {
        try core.openLane(name)
    }

    /// Sets how much older than the newest sample of the store a sample may be that is older than the newest one of
    /// its series; 0, the default, refuses all such samples. Applies to the samples appended from now on.
    public func setOutOfOrderWindow(_ window: Milliseconds) {
        core.outOfOrderWindow.store(max(0, window.rawValue), ordering: .relaxed)
    }

    /// Whether out-of-order samples at `time` are stored at present.
    public func takesOutOfOrder(at time: Timestamp) -> Bool {
        core.refusal(ofOutOfOrder: time.milliseconds) == nil
    }

    /// Closes the store. New lanes, new series and queries fail from now on.
    public func close() {
        core.writeExemplars()
        do throws(StoreError) { try core.log?.settle() } catch {
            // Only the shorter version of the log could not be written. The old file is kept.
        }
        core.catalog.write { catalog in
            catalog.isClosed = true
            catalog.lanes = [:]
        }
    }

    /// Notes about damage found since the last call, one line each, for the log. A restart does not verify the
    /// checksums of most sealed samples. The first query that reads them does, and ``maintain(now:)`` verifies all
    /// within seconds.
    public func takeNotes() -> [String] {
        core.segments.takeNotes() + core.blocks.takeNotes() + core.exemplars.takeNotes() + core.tombstones.takeNotes()
    }

    /// Drops samples older than the retention, removes series and lanes without samples, releases file pages that
    /// queries have read, verifies some data of an earlier process, and writes new exemplars. Call it every few
    /// seconds, from one thread at a time.
    public func maintain(now: Timestamp) {
        let oldest = now.milliseconds &- retention
        core.blocks.drop { $0.newest < oldest || core.blocks.byteCount + core.segments.byteCount > budget }
        core.segments.drop(before: oldest)
        core.tombstones.drop(before: oldest)
        let lost = core.segments.takeDropped().merging(core.blocks.takeDropped()) { max($0, $1) }
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

    /// Rewrites the series log if most of it is about removed series.
    private func compactLog() {
        guard let log = core.log, let directory = core.directory, log.isWorthCompacting else { return }
        core.catalog.read { catalog in
            do throws(StoreError) { try log.compact(catalog, directory) } catch {
                // The disk is full. The current file stays until the next call.
            }
        }
    }

    /// Verifies the next sealed chunks of an earlier process. Damaged ones are removed from their lanes.
    private func checkSealed() {
        core.segments.checkSome(Self.checkedAtOnce) { header, place, isWhole in
            let lane = core.catalog.read { $0.lanes[header.lane] }
            lane?.directory.replace(place, of: Int(header.chunk), by: isWhole ? place.checked : nil)
        }
    }

    /// Releases row log files that slow lanes hold back.
    private func rewriteOverdueRows() {
        guard let file = core.rowLog?.overdue else { return }
        let lanes = core.catalog.read { catalog in
            catalog.lanes.values.compactMap { lane in lane.active.map { (lane, $0) } }
        }
        for (lane, active) in lanes {
            do throws(StoreError) { try lane.rewriteRows(active, through: file) } catch {
                // The disk is full. The files stay until the next call.
                return
            }
        }
    }

    /// Closes the lanes that were not opened within an hour after the restart.
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

    /// Keeps rows as they are, beyond the retention too, until they were sent to other servers.
    ///
    /// - Parameters:
    ///   - sent: the number of rows of each lane that were sent; `nil` if nothing has to be sent.
    ///   - bytes: the limit of the size of segments that are kept only for this.
    public func keepUnsent(after sent: [UInt32: Int]?, bytes: Int) {
        core.segments.setUnsent(sent.map { UnsentRows(sent: $0, bytes: bytes) })
    }

    /// Changes when a series is added or removed.
    public var seriesGeneration: UInt64 { core.generation.load(ordering: .relaxed) }
}
