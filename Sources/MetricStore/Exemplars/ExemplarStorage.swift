internal import MetricModel
internal import Synchronization

/// The ring of exemplars that a store's writers share. Any thread may use it; the lock is held for one scrape's exemplars at
/// a time, and never where there are none.
final class ExemplarStorage: Sendable {
    /// What came so far, for the metrics.
    struct Figures {
        var count = 0
        var seriesCount = 0
        var byteCount = 0
        var appended: UInt64 = 0
        var outOfOrder: UInt64 = 0
        var tooLong: UInt64 = 0
    }

    private struct State {
        var ring: ExemplarRing
        var appended: UInt64 = 0
        var outOfOrder: UInt64 = 0
        var tooLong: UInt64 = 0
    }

    private let state: Mutex<State>

    init(capacity: Int) {
        state = Mutex(State(ring: ExemplarRing(capacity: capacity)))
    }

    /// Adds what one writer brings at `time`, which is that of exemplars without a time of their own.
    ///
    /// - Returns: An outcome for each of them.
    func append(_ exemplars: [(labels: Labels, exemplar: Exemplar)], at time: Timestamp) -> [ExemplarOutcome] {
        state.withLock { state in
            let outcomes = exemplars.map { state.ring.append($0.exemplar, of: $0.labels, sampleTime: time) }
            for (index, outcome) in outcomes.enumerated() {
                switch outcome {
                case .appended: state.appended += 1
                case .tooLong: state.tooLong += 1
                case .outOfOrder:
                    // A native histogram shows its last exemplars every time: older ones beside a known one are no fault.
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
        state.withLock { $0.ring.select(from: from, through: through, where: accepts) }
    }

    func resize(to capacity: Int) {
        state.withLock { state in
            if state.ring.capacity != capacity { state.ring = state.ring.resized(to: capacity) }
        }
    }

    var figures: Figures {
        state.withLock { state in
            Figures(
                count: state.ring.count, seriesCount: state.ring.seriesCount, byteCount: state.ring.byteCount,
                appended: state.appended, outOfOrder: state.outOfOrder, tooLong: state.tooLong)
        }
    }
}
