public import MetricModel

/// The samples of one scrape or evaluation on their way into a lane: all become visible at `commit`, or none.
///
/// Letting an appender go without `commit` rolls back.
public struct Appender: ~Copyable {
    private let lane: Lane
    private let time: Timestamp
    private var samples: [PendingSample] = []
    private var newest: [RingSlot: PendingSample] = [:]

    init(lane: Lane, time: Timestamp) {
        self.lane = lane
        self.time = time
    }

    /// Appends at the time of the row. Pass `Double.staleMarker` to end a series.
    @discardableResult
    public mutating func append(_ slot: RingSlot, _ value: Double) -> AppendOutcome {
        append(slot, value, at: time)
    }

    /// Appends a sample with its own timestamp.
    @discardableResult
    public mutating func append(_ slot: RingSlot, _ value: Double, at time: Timestamp) -> AppendOutcome {
        add(PendingSample(slot: slot, time: time.milliseconds, value: value, histogram: nil))
    }

    /// Appends a native histogram at the time of the row, or at its own.
    @discardableResult
    public mutating func append(
        _ slot: RingSlot, histogram: FloatHistogram, at time: Timestamp? = nil
    ) -> AppendOutcome {
        add(
            PendingSample(
                slot: slot, time: (time ?? self.time).milliseconds, value: histogram.sum, histogram: histogram))
    }

    private mutating func add(_ sample: PendingSample) -> AppendOutcome {
        let outcome = lane.store.outcome(of: sample, after: newest[sample.slot], lane: lane.id)
        if outcome == .appended {
            samples.append(sample)
            newest[sample.slot] = sample
        }
        return outcome
    }

    /// Makes all samples visible at once.
    public consuming func commit() throws(StoreError) {
        try lane.store.commit(samples, lane: lane.id)
    }

    /// Forgets all samples.
    public consuming func rollback() {}
}
