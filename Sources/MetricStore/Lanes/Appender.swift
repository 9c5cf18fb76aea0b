public import MetricModel
internal import Synchronization

/// The samples of one scrape or evaluation, on their way into a lane: all become visible at `commit`, or none.
///
/// Samples that are older than the newest one of their series are refused, unless
/// ``MetricStore/setOutOfOrderWindow(_:)`` allows them.
///
/// An appender that is freed without `commit` rolls back. One exception: a commit with several samples of one series,
/// with their own timestamps, may become visible in steps. A rollback then removes the last step.
@safe public struct Appender: ~Copyable {
    private let lane: Lane
    private let time: Int64
    private var blocks: UnsafeMutablePointer<ActiveChunk.Block>
    private var blockCount: Int
    /// The row for samples at `time`.
    private var row: Int
    private var isOpen: Bool
    private var isEmpty = true
    /// Whether samples older than the newest of their series are stored, if the store's window allows it. Zeros at the
    /// start of a counter are not.
    public var takesOutOfOrder = true
    /// Why no row could be started.
    private let failure: StoreError?

    init(lane: Lane, time: Int64) {
        self.lane = lane
        self.time = time
        do throws(StoreError) {
            isOpen = try lane.openRow(time)
            failure = nil
        } catch {
            isOpen = false
            failure = error
        }
        row = lane.firstPendingRow
        blockCount = isOpen ? lane.active?.blockCount ?? 0 : 0
        unsafe blocks = lane.active?.blocks ?? Self.noBlocks
    }

    /// Never read, because there are none.
    private static var noBlocks: UnsafeMutablePointer<ActiveChunk.Block> {
        unsafe UnsafeMutablePointer(bitPattern: MemoryLayout<ActiveChunk.Block>.alignment)!
    }

    deinit {
        if isOpen { lane.rollBack() }
    }

    /// Appends at the row's time. Pass `Double.staleMarker` to end a series.
    @discardableResult
    public mutating func append(_ slot: RingSlot, _ value: Double) -> AppendOutcome {
        let isTaken = unsafe withUnsafePointer(to: value) { value in
            unsafe appendPlain(slot, UnsafeBufferPointer(start: value, count: 1)) == 1
        }
        return isTaken ? .appended : appendWithChecks(slot, .float(value), at: time)
    }

    /// Appends a value to each slot of `row`, at the row's time.
    ///
    /// - Parameter values: one for each place of the row. Values of places without a slot are ignored.
    /// - Returns: the number of rejected values.
    public mutating func append(_ row: SlotRow, _ values: [Double]) -> Int {
        precondition(values.count == row.count, "a row of \(row.count) places gets \(values.count) values")
        var refused = 0
        unsafe values.withUnsafeBufferPointer { values in
            for run in row.runs {
                guard let first = run.first else { continue }
                let values = unsafe UnsafeBufferPointer(rebasing: values[run.start..<run.start + run.count])
                var done = 0
                while true {
                    unsafe done += appendPlain(first + done, UnsafeBufferPointer(rebasing: values[done...]))
                    if done == run.count { break }
                    let outcome = unsafe appendWithChecks(first + done, .float(values[done]), at: time)
                    if outcome.isRefused { refused += 1 }
                    done += 1
                }
            }
        }
        return refused
    }

    /// Appends to adjacent slots until one needs checks. Returns the number of values appended.
    @inline(__always)
    private mutating func appendPlain(_ slot: RingSlot, _ values: UnsafeBufferPointer<Double>) -> Int {
        guard slot.block < blockCount else { return 0 }
        let block = unsafe blocks[slot.block]
        let first = slot.column
        let end = unsafe min(block.width, first + values.count)
        let bit: RowMask = 1 << RowMask(row)
        let cells = unsafe block.values + row * block.width
        var column = first
        while column < end {
            let mask = unsafe block.masks[column].load(ordering: .relaxed)
            guard mask & bit == 0, unsafe block.states[column].newest < time,
                unsafe block.states[column].companions == ActiveChunk.SlotState.none
            else { break }
            unsafe block.states[column].newest = time
            unsafe block.masks[column].store(mask | bit, ordering: .relaxed)
            unsafe cells[column].store(values[column - first].bitPattern, ordering: .relaxed)
            column += 1
        }
        guard column > first else { return 0 }
        isEmpty = false
        return column - first
    }

    /// Appends a sample with its own timestamp.
    @discardableResult
    public mutating func append(_ slot: RingSlot, _ value: Double, at time: Timestamp) -> AppendOutcome {
        time.milliseconds == self.time
            ? append(slot, value) : appendWithChecks(slot, .float(value), at: time.milliseconds)
    }

    /// Appends a native histogram at the row's time, or at its own.
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
        if !takesOutOfOrder, lane.isOutOfOrder(slot, sampleTime) { return .outOfOrder }
        let outcome = lane.append(slot, value, at: sampleTime, rowTime: time)
        if outcome == .appended { isEmpty = false }
        row = lane.firstPendingRow
        blockCount = active.blockCount
        unsafe blocks = active.blocks
        return outcome
    }

    /// Makes all samples visible at once; out-of-order ones before, in steps.
    public consuming func commit() throws(StoreError) {
        if let failure { throw failure }
        guard lane.active != nil else { throw StoreError(.closed, "lane \(lane.name) is closed") }
        try lane.publishOutOfOrder()
        // A row without samples would waste space. It is rolled back and reused.
        guard isOpen, !isEmpty else { return }
        try lane.publish()
        isOpen = false
    }

    /// Discards all samples.
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

    /// Whether both are equal; floats are compared bit by bit.
    func isSame(as other: StoredValue) -> Bool {
        switch (self, other) {
        case (.float(let left), .float(let right)): left.bitPattern == right.bitPattern
        case (.histogram(let left), .histogram(let right)):
            HistogramWords.encode(left) == HistogramWords.encode(right)
        case (.float, .histogram), (.histogram, .float): false
        }
    }
}
