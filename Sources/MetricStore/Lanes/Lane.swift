public import MetricModel
internal import Synchronization

/// A stream of samples with one writer: a scrape target, a rule group, a remote-write sender.
///
/// Its series share their timestamps: the samples appended between `beginAppend` and `commit` are a row with one value
/// per series. The writing calls (`slot`, `beginAppend` and the calls on its result, `retire`, `close`) must come from
/// one thread at a time. Readers on any thread and the writer do not wait for each other.
///
/// `@unchecked`: the variables belong to the writer, except `active` and `finalHead`, which change under the index
/// lock, and `logged`, which has a lock of its own.
public final class Lane: @unchecked Sendable {
    /// The lane's identity.
    public let id: LaneID
    /// The name under which it was opened.
    public let name: String

    let core: StoreCore
    let directory = ChunkDirectory()
    /// The chunk being written; `nil` when the lane is closed.
    var active: ActiveChunk?
    /// Rows committed when the lane was closed.
    var finalHead = 0

    /// The number of the chunk being written.
    var chunk = 0
    /// Rows committed, as in the header.
    var head = 0
    /// Rows started and not committed.
    var pendingRows = 0
    /// The oldest and the newest time in the pending rows.
    var pendingOldest = Int64.max
    var pendingNewest = Int64.min
    /// Whether rows from `head` on contain values of a rollback.
    var hasLeftovers = false
    /// Retired slots, in the order of reuse, each with the last chunk that may contain its samples.
    var freeSlots: [(slot: RingSlot, death: UInt32)] = []
    var nextFreeSlot = 0
    /// The companions of slots that have some. Free places are in `freeCompanions`.
    var companionList: [SeriesIndex.Companions] = []
    var freeCompanions: [UInt32] = []
    /// Samples older than the newest of their series.
    var outOfOrder = OutOfOrderSamples()
    /// Whether samples of a series may have any order. Set by the lane that this one belongs to.
    var takesAnyOrder = false
    /// Slots that were taken but not needed.
    var spareSlots: [RingSlot] = []
    /// The slot after the last one ever taken.
    var nextSlot = RingSlot(block: 0, column: 0)

    /// Whether rows are written to the row log, so that a crash loses none.
    var isLogged = true
    /// The part of this chunk in the row log. Locked only by the writer and ``rewriteRows(_:through:)``.
    let logged = Mutex(LoggedRows())

    /// The number of slots from an earlier process that this one has not used yet. Their states say which.
    var unclaimedCount = 0
    /// The chunk after which unclaimed slots are retired.
    var unclaimedThrough = 0

    init(id: LaneID, name: String, core: StoreCore, active: ActiveChunk?) {
        self.id = id
        self.name = name
        self.core = core
        self.active = active
    }

    /// Starts a row at `time`. Call `commit` or `rollback` before starting the next one.
    public func beginAppend(at time: Timestamp) -> Appender {
        Appender(lane: self, time: time.milliseconds)
    }

    /// Ends the lane. All slots are retired, and nothing more can be appended. Its name may be opened again.
    ///
    /// If the last chunk cannot be sealed, the lane stays in the store without a writer, and its rows stay readable.
    /// Opening the name returns the same lane, and ``MetricStore/maintain(now:)`` closes it later.
    public func close() {
        closeOutOfOrder()
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
        // If the log cannot be written now, the next commit of any lane writes it. A lane that reappears after a
        // restart has only sealed rows, and is closed if it is not opened.
        try? core.log?.flush()
        releaseRows()
    }

    /// Rows committed, over all chunks. Called under the index lock.
    var committedRows: Int { active?.head ?? finalHead }

    /// The chunk of the next sample.
    var nextChunk: Int {
        pendingRows == 0 && head == (chunk + 1) * ColumnCodec.rows ? chunk + 1 : chunk
    }
}
