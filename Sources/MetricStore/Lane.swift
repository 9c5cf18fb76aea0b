public import MetricModel
internal import Synchronization

/// A stream of samples with one writer: a scrape target, a rule group, a remote-write sender.
///
/// Its series share one ring of timestamps: what is appended between `beginAppend` and `commit` is a row with one value per
/// series. The calls that write (`slot`, `beginAppend` and what follows, `retire`, `close`) must come from one thread at a
/// time; readers on any thread neither wait for them nor hold them up.
public final class Lane: Sendable {
    /// The lane's identity.
    public let id: LaneID
    /// The name it was opened under.
    public let name: String
    let store: MetricStore

    init(id: LaneID, name: String, store: MetricStore) {
        self.id = id
        self.name = name
        self.store = store
    }

    /// The slot of the series `labels`, which is created if need be.
    ///
    /// Takes the index's lock: remember the slot, do not ask per sample.
    public func slot(for labels: Labels) throws(StoreError) -> RingSlot {
        try store.slot(for: labels, lane: id)
    }

    /// Starts a row at `time`. It must end with `commit` or `rollback` before the next one starts.
    public func beginAppend(at time: Timestamp) -> Appender {
        Appender(lane: self, time: time)
    }

    /// Gives up the slot of a series that has ended. Its samples stay until retention takes them; write a staleness marker
    /// first. Asking for the same labels again later is fine.
    public func retire(_ slot: RingSlot) {
        store.retire(slot, lane: id)
    }

    /// Ends the lane: every slot is retired, and nothing more can be appended. Its name may be opened again.
    public func close() {
        store.closeLane(id)
    }
}
