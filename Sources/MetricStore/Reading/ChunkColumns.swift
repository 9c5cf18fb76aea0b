internal import MetricModel

/// A copy of the samples of one series in one chunk, of any kind.
///
/// The general way to read. ``LaneWindow`` reads series of floats at their rows' times directly.
struct ChunkColumns {
    private(set) var samples: [(time: Int64, value: StoredValue)] = []

    /// The newest sample.
    var last: (time: Int64, value: StoredValue)? { samples.last }

    /// Reads a sealed chunk, whose segment the caller has pinned.
    init(_ record: ChunkRecord, rowCount: Int, _ slot: RingSlot, _ companions: SeriesIndex.Companions) {
        let sealedRows = unsafe Int(record.header.rowCount)
        let companions = unsafe companions.present(inChunk: Int(record.header.chunk))
        func column(_ slot: RingSlot?) -> Column {
            guard let slot else { return Column() }
            return unsafe Column { unsafe record.column(slot, rowCount: sealedRows, into: $0) }
        }
        let words = unsafe record.histograms
        collect(
            unsafe record.times(sealedRows), rowCount, column(slot), column(companions.times?.slot),
            column(companions.histograms?.slot)
        ) { unsafe words[$0] }
    }

    /// Reads the chunk being written; `nil` if the writer has started another one.
    init?(
        _ active: ActiveChunk, _ chunk: Int, rowCount: Int, _ slot: RingSlot, _ companions: SeriesIndex.Companions
    ) {
        let companions = companions.present(inChunk: chunk)
        func column(_ slot: RingSlot?) -> Column {
            guard let slot else { return Column() }
            return unsafe Column { unsafe active.column(slot, ofChunk: chunk, count: rowCount, into: $0) ?? 0 }
        }
        let (floats, times) = (column(slot), column(companions.times?.slot))
        let histograms = column(companions.histograms?.slot)
        guard let rowTimes = active.times(ofChunk: chunk, count: rowCount) else { return nil }
        collect(rowTimes, rowCount, floats, times, histograms) { active.histograms[$0] }
        if !active.isStill(chunk) { return nil }
    }

    /// One value per row.
    private struct Column {
        var mask: RowMask = 0
        var values: [UInt64] = []

        init() {}

        init(_ fill: (UnsafeMutablePointer<UInt64>) -> RowMask) {
            values = [UInt64](repeating: 0, count: ColumnCodec.rows)
            mask = unsafe values.withUnsafeMutableBufferPointer { unsafe fill($0.baseAddress!) }
        }

        subscript(row: Int) -> Double? {
            mask & 1 << RowMask(row) == 0 ? nil : Double(bitPattern: values[row])
        }
    }

    private mutating func collect(
        _ rowTimes: [Int64], _ rowCount: Int, _ floats: Column, _ times: Column, _ histograms: Column,
        _ word: (Int) -> UInt64
    ) {
        for row in 0..<rowCount {
            let value: StoredValue
            if let float = floats[row] {
                value = .float(float)
            } else if let offset = histograms[row] {
                // An overtaken reader may find any bits here. They must only be harmless.
                value = .histogram(HistogramWords.decode(at: Int(Int32(clamping: Int64(clamping: offset))), word))
            } else {
                continue
            }
            samples.append((times[row].map { Int64(clamping: $0) } ?? rowTimes[row], value))
        }
    }
}
