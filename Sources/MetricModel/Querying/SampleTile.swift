/// Samples of neighbouring series with common timestamps, as a table: the values of a series lie side by side.
///
/// A buffer that ``SeriesScan/read(_:of:into:)`` fills again and again; owned by one thread at a time. A source fills
/// it in three steps: ``prepare(times:firstRow:chunkStarts:stride:count:)``, the values, and for each chunk which rows
/// have samples.
public struct SampleTile: Sendable {
    /// The time of each row, ascending.
    public private(set) var times: [Int64] = []
    /// Number of series.
    public private(set) var count = 0
    /// The number, in the scan, of row 0 of this table.
    public private(set) var firstRow = 0
    /// `stride` values for each series; those of rows without a sample mean nothing.
    public private(set) var values: [Double] = []
    /// Values from one series to the next.
    public private(set) var stride = 0
    /// Whether a series has a sample in every row that was asked for.
    public private(set) var isComplete: [Bool] = []

    /// A bit per row that has a sample, by series and chunk.
    private var masks: [UInt16] = []
    /// The first row of each chunk of up to 16 rows.
    private var chunkStarts: [Int] = []

    /// A table without room.
    public init() {}

    /// Makes room for `count` series with `stride` values each; every series is complete until something else is noted.
    public mutating func prepare(times: [Int64], firstRow: Int, chunkStarts: [Int], stride: Int, count: Int) {
        self.times = times
        self.firstRow = firstRow
        self.chunkStarts = chunkStarts
        self.stride = stride
        self.count = count
        if values.count < stride * count { values = [Double](repeating: 0, count: stride * count) }
        isComplete.removeAll(keepingCapacity: true)
        isComplete.append(contentsOf: repeatElement(true, count: count))
        masks.removeAll(keepingCapacity: true)
        masks.append(contentsOf: repeatElement(0, count: count * chunkStarts.count))
    }

    /// Notes which rows of chunk `chunk` have a sample: a mask for each series, of which the bits in `wanted` count.
    public mutating func note(_ found: UnsafePointer<UInt16>, wanted: UInt16, chunk: Int) {
        for series in 0..<count {
            let mask = unsafe found[series] & wanted
            masks[series * chunkStarts.count + chunk] = mask
            if mask != wanted { isComplete[series] = false }
        }
    }

    /// Lends the values to be written, as their bits.
    public mutating func withValues<Result>(_ body: (UnsafeMutablePointer<UInt64>) -> Result) -> Result {
        unsafe values.withUnsafeMutableBytes { bytes in
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
                values.append(self.values[series * stride + row])
                rest &= rest - 1
            }
        }
        return (times, values)
    }
}
