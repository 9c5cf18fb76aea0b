/// Samples of adjacent series with common timestamps, as a table: the values of a series are contiguous.
///
/// A buffer that ``SeriesScan/read(_:of:into:)`` fills repeatedly; owned by one thread at a time. A source fills it in
/// three steps: ``prepare(times:firstRow:chunkStarts:stride:count:)``, the values, and for each chunk the rows with
/// samples.
public struct SampleTile: Sendable {
    /// The time of each row, ascending.
    public private(set) var times: [Int64] = []
    /// Number of series.
    public private(set) var count = 0
    /// The row of the scan that is row 0 of this table.
    public private(set) var firstRow = 0
    /// `stride` values for each series. Those of rows without a sample are undefined.
    public private(set) var values: [Double] = []
    /// The distance in values from one series to the next.
    public private(set) var stride = 0
    /// Whether a series has a sample in every requested row.
    public private(set) var isComplete: [Bool] = []

    /// One bit per row with a sample, by series and chunk.
    private var masks: [UInt16] = []
    /// The first row of each chunk of up to 16 rows.
    private var chunkStarts: [Int] = []

    /// A table without room.
    public init() {}

    /// Makes room for `count` series with `stride` values each. Every series is complete until `note` clears it.
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

    /// Sets the rows of chunk `chunk` with a sample: one mask per series, of which the bits in `wanted` are used.
    public mutating func note(_ found: UnsafePointer<UInt16>, wanted: UInt16, chunk: Int) {
        for series in 0..<count {
            let mask = unsafe found[series] & wanted
            masks[series * chunkStarts.count + chunk] = mask
            if mask != wanted { isComplete[series] = false }
        }
    }

    /// Calls `body` with the values to write, as bits.
    public mutating func withValues<Result>(_ body: (UnsafeMutablePointer<UInt64>) -> Result) -> Result {
        unsafe values.withUnsafeMutableBytes { bytes in
            unsafe body(bytes.baseAddress!.assumingMemoryBound(to: UInt64.self))
        }
    }

    /// The samples of a series.
    public func samples(of series: Int) -> (times: [Int64], values: [Double]) {
        let own = masks[series * chunkStarts.count..<(series + 1) * chunkStarts.count]
        let sampleCount = own.reduce(0) { $0 + $1.nonzeroBitCount }
        var times: [Int64] = []
        var values: [Double] = []
        times.reserveCapacity(sampleCount)
        values.reserveCapacity(sampleCount)
        for (start, mask) in zip(chunkStarts, own) {
            var rest = mask
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
