internal import MetricModel

/// Samples of neighbouring series of one lane, as a table: the values of a series stand side by side, and the rows have their
/// times in common.
///
/// A buffer that is filled again and again by ``SeriesScan/read(_:of:into:)``; owned by one thread at a time.
public struct SampleTile: Sendable {
    /// The time of each row, ascending.
    public private(set) var times: [Int64] = []
    /// Number of series.
    public private(set) var count = 0
    /// Which row of the scan row 0 of this table is.
    public private(set) var firstRow = 0
    /// `stride` values for each series; those of rows without a sample mean nothing.
    public var values: [Double] { storage }
    /// Values from one series to the next.
    public private(set) var stride = 0
    /// Whether a series has a sample in every row that was asked for.
    public private(set) var isComplete: [Bool] = []

    private var storage: [Double] = []
    /// A bit per row that has a sample, by series and chunk.
    private var masks: [RowMask] = []
    private var chunkStarts: [Int] = []

    /// A table without room.
    public init() {}

    /// Makes room; every series is complete until something else is noted.
    mutating func prepare(times: [Int64], firstRow: Int, chunkStarts: [Int], count: Int) {
        self.times = times
        self.firstRow = firstRow
        self.chunkStarts = chunkStarts
        self.count = count
        // Decoding writes whole chunks.
        stride = (chunkStarts.last ?? 0) + ColumnCodec.rows
        if storage.count < stride * count { storage = [Double](repeating: 0, count: stride * count) }
        isComplete.removeAll(keepingCapacity: true)
        isComplete.append(contentsOf: repeatElement(true, count: count))
        masks.removeAll(keepingCapacity: true)
        masks.append(contentsOf: repeatElement(0, count: count * chunkStarts.count))
    }

    /// Notes which rows of chunk `chunk` have a sample of a series, of those in `wanted`.
    mutating func note(_ mask: RowMask, wanted: RowMask, series: Int, chunk: Int) {
        masks[series * chunkStarts.count + chunk] = mask & wanted
        if mask & wanted != wanted { isComplete[series] = false }
    }

    /// Lends the values to be written.
    mutating func withValues<Result>(_ body: (UnsafeMutablePointer<UInt64>) -> Result) -> Result {
        unsafe storage.withUnsafeMutableBytes { bytes in
            // Doubles are written as their bits.
            unsafe body(bytes.baseAddress!.assumingMemoryBound(to: UInt64.self))
        }
    }

    /// The samples of a series.
    public func samples(of series: Int) -> (times: [Int64], values: [Double]) {
        var times: [Int64] = []
        var values: [Double] = []
        for (chunk, start) in chunkStarts.enumerated() {
            var rest = masks[series * chunkStarts.count + chunk]
            while rest != 0 {
                let row = start + rest.trailingZeroBitCount
                times.append(self.times[row])
                values.append(storage[series * stride + row])
                rest &= rest - 1
            }
        }
        return (times, values)
    }
}
