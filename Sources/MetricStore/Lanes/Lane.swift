public import MetricModel
internal import Synchronization

/// A stream of samples with one writer: a scrape target, a rule group, a remote-write sender.
///
/// Its series share one ring of timestamps: what is appended between `beginAppend` and `commit` is a row with one value
/// per series. The calls that write (`slot`, `beginAppend` and what follows, `retire`, `close`) must come from one
/// thread at a time; readers on any thread neither wait for them nor hold them up.
///
/// `@unchecked`: the variables are the writer's, but for `active` and `finalHead`, which change under the index lock,
/// and `logged`, which has its own.
public final class Lane: @unchecked Sendable {
    /// The lane's identity.
    public let id: LaneID
    /// The name it was opened under.
    public let name: String

    let core: StoreCore
    let directory = ChunkDirectory()
    /// The chunk being written; `nil` once the lane is closed.
    var active: ActiveChunk?
    /// Rows committed when the lane was closed.
    var finalHead = 0

    /// The number of the chunk being written.
    var chunk = 0
    /// Rows committed, as in the header.
    var head = 0
    /// Rows begun and not committed.
    var pendingRows = 0
    /// Oldest and newest time in the pending rows.
    var pendingOldest = Int64.max
    var pendingNewest = Int64.min
    /// Whether rows from `head` on hold leftovers of a rollback.
    var hasLeftovers = false
    /// Slots given up, with the last chunk each may hold samples in; in the order in which they may be taken again.
    var freeSlots: [(slot: RingSlot, death: UInt32)] = []
    var nextFreeSlot = 0
    /// The companions of the slots that have some; places that are free again are in `freeCompanions`.
    var companionList: [SeriesIndex.Companions] = []
    var freeCompanions: [UInt32] = []
    /// Slots that were taken and then not needed.
    var spareSlots: [RingSlot] = []
    /// The slot after the last one that was ever taken.
    var nextSlot = RingSlot(block: 0, column: 0)

    /// The part of this chunk that is in the row log. Only the writer takes the lock, and ``rewriteRows(_:through:)``.
    let logged = Mutex(LoggedRows())

    /// Number of slots that an earlier process used and this one has not asked for yet; their states say which.
    var unclaimedCount = 0
    /// The chunk after which unclaimed slots are retired.
    var unclaimedThrough = 0

    init(id: LaneID, name: String, core: StoreCore, active: ActiveChunk?) {
        self.id = id
        self.name = name
        self.core = core
        self.active = active
    }

    /// Starts a row at `time`. It must end with `commit` or `rollback` before the next one starts.
    public func beginAppend(at time: Timestamp) -> Appender {
        Appender(lane: self, time: time.milliseconds)
    }

    /// Ends the lane: every slot is retired, and nothing more can be appended. Its name may be opened again.
    ///
    /// If the last chunk cannot be sealed, the lane stays in the store without a writer, its rows readable: opening the
    /// name gives the same lane, and ``MetricStore/maintain(now:)`` closes it later.
    public func close() {
        guard let active else { return }
        for block in 0..<active.blockCount {
            for column in 0..<(unsafe active.blocks[block].width) {
                retire(RingSlot(block: block, column: column))
            }
        }
        if head > chunk * ColumnCodec.rows {
            do throws(StoreError) { try seal() } catch {
                core.catalog.write { catalog in
                    catalog.openNames.remove(name)
                    catalog.orphans[name] = id.rawValue
                }
                return
            }
        }
        core.catalog.write { catalog in
            core.log?.add(.closed(lane: id.rawValue, head: UInt64(head)))
            finalHead = head
            self.active = nil
            catalog.openNames.remove(name)
        }
        // Should the log not take it now, it does so with the next commit of any lane. A lane that comes back after a
        // restart has only sealed rows, and is closed when nobody opens it.
        try? core.log?.flush()
        releaseRows()
    }

    /// Rows committed, counted through all chunks. Under the index lock.
    var committedRows: Int { active?.head ?? finalHead }

    /// The chunk that the next sample goes to.
    var nextChunk: Int {
        pendingRows == 0 && head == (chunk + 1) * ColumnCodec.rows ? chunk + 1 : chunk
    }
}
