public import MetricModel
internal import Synchronization

/// The samples of one scrape or evaluation on their way into a lane: all become visible at `commit`, or none.
///
/// Letting an appender go without `commit` rolls back. Only a commit that brings several samples of one series, with their own
/// timestamps, may become visible in steps, of which a rollback takes back the last.
@safe public struct Appender: ~Copyable {
    private let lane: Lane
    private let time: Int64
    private var blocks: UnsafeMutablePointer<ActiveChunk.Block>
    private var blockCount: Int
    /// The row for samples at `time`.
    private var row: Int
    private var isOpen: Bool
    private var isEmpty = true

    init(lane: Lane, time: Int64) {
        self.lane = lane
        self.time = time
        isOpen = lane.openRow(time)
        row = lane.firstPendingRow
        blockCount = isOpen ? lane.active?.blockCount ?? 0 : 0
        unsafe blocks = lane.active?.blocks ?? Self.noBlocks
    }

    /// Never looked at, since there are none of them.
    private static var noBlocks: UnsafeMutablePointer<ActiveChunk.Block> {
        unsafe UnsafeMutablePointer(bitPattern: MemoryLayout<ActiveChunk.Block>.alignment)!
    }

    deinit {
        if isOpen { lane.rollBack() }
    }

    /// Appends at the time of the row. Pass `Double.staleMarker` to end a series.
    @discardableResult
    public mutating func append(_ slot: RingSlot, _ value: Double) -> AppendOutcome {
        if slot.block < blockCount {
            let block = unsafe blocks[slot.block]
            let column = slot.column
            if unsafe column < block.width, unsafe block.states[column].newest < time {
                let bit: RowMask = 1 << RowMask(row)
                let mask = unsafe block.masks[column].load(ordering: .relaxed)
                if mask & bit == 0, unsafe block.states[column].companions == ActiveChunk.SlotState.none {
                    isEmpty = false
                    unsafe block.states[column].newest = time
                    unsafe block.masks[column].store(mask | bit, ordering: .relaxed)
                    unsafe block.values[row * block.width + column].store(value.bitPattern, ordering: .relaxed)
                    return .appended
                }
            }
        }
        return appendWithChecks(slot, .float(value), at: time)
    }

    /// Appends a sample with its own timestamp.
    @discardableResult
    public mutating func append(_ slot: RingSlot, _ value: Double, at time: Timestamp) -> AppendOutcome {
        time.milliseconds == self.time
            ? append(slot, value) : appendWithChecks(slot, .float(value), at: time.milliseconds)
    }

    /// Appends a native histogram at the time of the row, or at its own.
    @discardableResult
    public mutating func append(
        _ slot: RingSlot, histogram: FloatHistogram, at time: Timestamp? = nil
    ) -> AppendOutcome {
        appendWithChecks(slot, .histogram(histogram), at: time?.milliseconds ?? self.time)
    }

    private mutating func appendWithChecks(
        _ slot: RingSlot, _ value: StoredValue, at sampleTime: Int64
    ) -> AppendOutcome {
        guard isOpen, let active = lane.active else {
            return time.magnitude > Lane.farthestTime.magnitude ? .outOfBounds : .unknownSlot
        }
        isEmpty = false
        let outcome = lane.append(slot, value, at: sampleTime, rowTime: time)
        row = lane.firstPendingRow
        blockCount = active.blockCount
        unsafe blocks = active.blocks
        return outcome
    }

    /// Makes all samples visible at once.
    public consuming func commit() throws(StoreError) {
        guard lane.active != nil else { throw StoreError(.closed, "lane \(lane.name) is closed") }
        // A row without samples would only take up room; rolled back, it is used again.
        guard isOpen, !isEmpty else { return }
        try lane.publish()
        isOpen = false
    }

    /// Forgets all samples.
    public consuming func rollback() {}
}

/// A sample's value.
enum StoredValue: Equatable {
    case float(Double)
    case histogram(FloatHistogram)

    var isHistogram: Bool {
        switch self {
        case .float: false
        case .histogram: true
        }
    }

    /// Whether both are the same, floats bit by bit.
    func isSame(as other: StoredValue) -> Bool {
        switch (self, other) {
        case (.float(let left), .float(let right)): left.bitPattern == right.bitPattern
        case (.histogram(let left), .histogram(let right)):
            HistogramWords.encode(left) == HistogramWords.encode(right)
        case (.float, .histogram), (.histogram, .float): false
        }
    }
}
