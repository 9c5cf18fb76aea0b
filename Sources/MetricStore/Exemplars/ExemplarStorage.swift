internal import Glibc
internal import MetricModel
internal import Runtime
internal import Synchronization

/// The ring of exemplars, shared by the writers of a store. May be used from any thread. The lock is held for the
/// exemplars of one scrape at a time, and never if there are none.
final class ExemplarStorage: Sendable {
    /// Counters for the metrics.
    struct Figures {
        var count = 0
        var seriesCount = 0
        var byteCount = 0
        var appended: UInt64 = 0
        var outOfOrder: UInt64 = 0
        var tooLong: UInt64 = 0
    }

    private struct State: ~Copyable {
        var ring: ExemplarRing
        /// Reads the exemplars of an earlier process. Until it has finished, `ring` is empty.
        var reading: Overlapped<(ring: ExemplarRing, notes: [String])>?
        var notes: [String] = []
        var appended: UInt64 = 0
        var outOfOrder: UInt64 = 0
        var tooLong: UInt64 = 0

        init(capacity: Int) {
            ring = ExemplarRing(capacity: capacity)
        }

        /// Uses the result of the reading thread; waits for it if necessary.
        mutating func settle() {
            guard let reading = reading.take() else { return }
            let found = reading.value()
            ring = found.ring
            notes += found.notes
        }
    }

    private let state: Mutex<State>

    init(capacity: Int) {
        state = Mutex(State(capacity: capacity))
    }

    /// Reads the exemplars of an earlier process from `directory`, on a thread of its own. A restart does not wait for
    /// it, but writers and readers of exemplars do.
    func restore(from directory: StoreDirectory) {
        state.withLock { state in
            let capacity = state.ring.capacity
            guard capacity > 0, unsafe access(directory.exemplarLog, F_OK) == 0 else { return }
            state.reading = Overlapped("store-exemplars") { ExemplarLog.read(directory, capacity: capacity) }
        }
    }

    /// The exemplars added since `written` of them were; all of them if `withAll`. `nil` if there are no new ones.
    /// `taken` is the number added until now.
    func news(since written: UInt64, withAll: Bool) -> (records: [ExemplarRecord], taken: UInt64)? {
        state.withLock { state in
            state.settle()
            let taken = state.ring.takenCount
            guard taken > written else { return nil }
            return (state.ring.newest(withAll ? state.ring.count : Int(clamping: taken - written)), taken)
        }
    }

    /// A note for each damage found since the last call.
    func takeNotes() -> [String] {
        state.withLock { state in
            state.settle()
            defer { state.notes = [] }
            return state.notes
        }
    }

    /// Adds the exemplars of one writer. `time` is the time of exemplars without one.
    ///
    /// - Returns: the result for each of them.
    func append(_ exemplars: [(labels: Labels, exemplar: Exemplar)], at time: Timestamp) -> [ExemplarOutcome] {
        state.withLock { state in
            state.settle()
            let outcomes = exemplars.map { state.ring.append($0.exemplar, of: $0.labels, sampleTime: time) }
            for (index, outcome) in outcomes.enumerated() {
                switch outcome {
                case .appended: state.appended += 1
                case .tooLong: state.tooLong += 1
                case .outOfOrder:
                    // A native histogram repeats its last exemplars at every scrape: older ones next to a known one are
                    // not an error.
                    let next = index + 1
                    let isPartOfAList = next < outcomes.count && exemplars[next].labels == exemplars[index].labels
                    if !isPartOfAList || outcomes[next] == .outOfOrder { state.outOfOrder += 1 }
                case .duplicate, .disabled: break
                }
            }
            return outcomes
        }
    }

    func select(
        from: Timestamp, through: Timestamp, where accepts: (Labels) -> Bool
    ) -> [(labels: Labels, exemplars: [Exemplar])] {
        state.withLock { state in
            state.settle()
            return state.ring.select(from: from, through: through, where: accepts)
        }
    }

    func resize(to capacity: Int) {
        state.withLock { state in
            state.settle()
            if state.ring.capacity != capacity { state.ring = state.ring.resized(to: capacity) }
        }
    }

    var figures: Figures {
        state.withLock { state in
            state.settle()
            return Figures(
                count: state.ring.count, seriesCount: state.ring.seriesCount, byteCount: state.ring.byteCount,
                appended: state.appended, outOfOrder: state.outOfOrder, tooLong: state.tooLong)
        }
    }
}
