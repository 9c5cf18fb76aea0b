internal import MetricModel

/// A copy of the samples of one series in one chunk, of any kind.
///
/// The general way to read. ``LaneWindow`` reads series of floats at their rows' times directly.
struct ChunkColumns {
    private(set) var samples: [(time: Int64, value: StoredValue)] = []
    /// The row of each sample.
    private(set) var rows: [Int] = []

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

    /// Reads `rows` of a stretch.
    init(_ stretch: StretchReader, _ rows: Range<Int>, _ slot: RingSlot, _ companions: SeriesIndex.Companions) {
        let count = stretch.rows.times.count
        func column(_ slot: RingSlot?) -> StretchColumn? { slot.map { StretchColumn(stretch, $0) } }
        let (floats, times) = (column(slot), column(companions.times?.slot))
        let histograms = column(companions.histograms?.slot)
        var index = stretch.rows.starts.partitioningIndex { $0 > rows.lowerBound } - 1
        for row in rows where row < count {
            while index + 1 < stretch.rows.starts.count, stretch.rows.starts[index + 1] <= row { index += 1 }
            let chunk = stretch.rows.chunks[index]
            let present = companions.present(inChunk: Int(chunk.number))
            let value: StoredValue
            if let float = floats?[row] {
                value = .float(float)
            } else if present.histograms != nil, let offset = histograms?[row] {
                let place = Int(Int32(clamping: Int64(clamping: offset)))
                // The words of a damaged stretch are missing.
                guard place >= 0, place < chunk.wordCount, let words = stretch.words else { continue }
                let start = stretch.rows.wordStarts[index]
                value = .histogram(
                    HistogramWords.decode(at: place) { $0 < chunk.wordCount && $0 >= 0 ? words[start + $0] : 0 })
            } else {
                continue
            }
            // Rows without a time of their own cannot be distinguished if that column is damaged.
            if present.times != nil, times?.isRead == false { continue }
            let own = present.times == nil ? nil : times?[row]
            samples.append((own.map { Int64(clamping: $0) } ?? stretch.rows.times[row], value))
        }
    }

    /// One value per row of a stretch.
    private struct StretchColumn {
        private var masks: [RowMask]
        private var values: [UInt64]
        /// Whether the column is not damaged.
        private(set) var isRead = false

        init(_ stretch: StretchReader, _ slot: RingSlot) {
            masks = [RowMask](repeating: 0, count: stretch.groupCount)
            values = [UInt64](repeating: 0, count: stretch.rows.times.count + ColumnCodec.rows)
            unsafe values.withUnsafeMutableBufferPointer { values in
                unsafe masks.withUnsafeMutableBufferPointer { masks in
                    unsafe isRead = stretch.column(slot, into: values.baseAddress!, masks.baseAddress!)
                }
            }
        }

        subscript(row: Int) -> Double? {
            masks[row / RowMask.bitWidth] >> RowMask(row % RowMask.bitWidth) & 1 == 0
                ? nil : Double(bitPattern: values[row])
        }
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
            rows.append(row)
        }
    }
}
