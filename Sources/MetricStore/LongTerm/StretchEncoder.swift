internal import Runtime

/// Rows of one lane that are written into a stretch, from sealed chunks or from other stretches.
@safe enum RowSource {
    /// A sealed chunk, whose segment the caller has pinned.
    case chunk(ChunkRecord)
    /// All rows of a stretch.
    case stretch(StretchReader)

    /// The chunks, ascending.
    var chunks: [StretchRows.Chunk] {
        switch self {
        case .chunk(let record):
            let header = unsafe record.header
            return [
                StretchRows.Chunk(
                    number: header.chunk, rowCount: Int(header.rowCount), wordCount: unsafe record.wordCount)
            ]
        case .stretch(let reader):
            // Without their words, histograms are no samples any more.
            if reader.words != nil { return reader.rows.chunks }
            return reader.rows.chunks.map { StretchRows.Chunk(number: $0.number, rowCount: $0.rowCount, wordCount: 0) }
        }
    }

    var rowCount: Int {
        switch self {
        case .chunk(let record): unsafe Int(record.header.rowCount)
        case .stretch(let reader): reader.rows.times.count
        }
    }

    var times: [Int64] {
        switch self {
        case .chunk(let record): unsafe record.times(Int(record.header.rowCount))
        case .stretch(let reader): reader.rows.times
        }
    }

    var bounds: (oldest: Int64, newest: Int64, revision: UInt32, blockCount: UInt32) {
        switch self {
        case .chunk(let record):
            let header = unsafe record.header
            return (header.oldest, header.newest, header.revision, header.blockCount)
        case .stretch(let reader):
            return (
                reader.header.oldest, reader.header.newest, reader.header.revision, reader.header.blockCount
            )
        }
    }

    var words: [UInt64] {
        switch self {
        case .chunk(let record):
            return unsafe (0..<record.wordCount).map { unsafe record.histograms[$0] }
        case .stretch(let reader): return reader.words ?? []
        }
    }
}

/// Encodes one stretch.
struct StretchEncoder {
    private var header: StretchHeader
    private var bytes: [UInt8] = []

    /// Encodes `sources`, which are of one lane, in the order of their chunks.
    ///
    /// - Parameter step: called after each block of slots; returning `false` ends the encoding without a result.
    /// - Returns: the record, or `nil` if it was ended or would be too long.
    static func encode(
        lane: UInt32, _ sources: [RowSource], step: () -> Bool
    ) -> (header: StretchHeader, bytes: [UInt8])? {
        guard let first = sources.first?.chunks.first, let last = sources.last?.chunks.last else {
            return nil
        }
        let bounds = sources.map { $0.bounds }
        var encoder = StretchEncoder(
            header: StretchHeader(
                lane: lane, firstChunk: first.number, lastChunk: last.number,
                chunkCount: UInt32(sources.reduce(0) { $0 + $1.chunks.count }),
                rowCount: UInt32(sources.reduce(0) { $0 + $1.rowCount }),
                blockCount: bounds.map(\.blockCount).max() ?? 0, revision: bounds.map(\.revision).max() ?? 0,
                oldest: bounds.map(\.oldest).min() ?? .max, newest: bounds.map(\.newest).max() ?? .min))
        return encoder.encode(sources, step) ? (encoder.header, encoder.bytes) : nil
    }

    private mutating func encode(_ sources: [RowSource], _ step: () -> Bool) -> Bool {
        var sections: [UInt8] = []
        var lengths: [Int] = []
        let table = SectionTable(rowCount: Int(header.rowCount))
        for block in 0..<Int(header.blockCount) {
            let start = sections.count
            table.fill(sources, block: block)
            header.sampleCount += UInt64(table.sampleCount)
            table.append(to: &sections)
            lengths.append(sections.count - start)
            guard step() else { return false }
        }
        let words = sources.flatMap { $0.words }
        guard let wordCount = UInt32(exactly: words.count), words.count <= StretchHeader.mostWords else { return false }
        header.wordCount = wordCount
        let start = sections.count
        Self.append(words, to: &sections)
        lengths.append(sections.count - start)
        let rows = Self.rows(sources, lengths)
        guard let length = UInt32(exactly: StretchHeader.size + rows.count + sections.count) else { return false }
        header.length = length
        header.rowsLength = UInt32(rows.count)
        header.rowsChecksum = CRC32C.checksum(rows)
        header.complete = header.checksum
        bytes = header.bytes + rows + sections
        return true
    }

    private static func rows(_ sources: [RowSource], _ lengths: [Int]) -> [UInt8] {
        var rows: [UInt8] = []
        var next: UInt32?
        for chunk in sources.flatMap({ $0.chunks }) {
            rows.append(unsigned: UInt64(chunk.number - (next ?? chunk.number)))
            rows.append(unsigned: UInt64(chunk.rowCount))
            rows.append(unsigned: UInt64(chunk.wordCount))
            next = chunk.number + 1
        }
        let times = sources.flatMap { $0.times }
        unsafe times.withUnsafeBufferPointer { unsafe StepFrames.encode($0, orders: 0...2, to: &rows) }
        for length in lengths { rows.append(unsigned: UInt64(length)) }
        return rows
    }

    private static func append(_ words: [UInt64], to bytes: inout [UInt8]) {
        if words.isEmpty { return }
        var encoded: [UInt8] = []
        var zeros = 0
        for (index, word) in words.enumerated() {
            if word == 0 {
                zeros += 1
                if index + 1 < words.count, words[index + 1] == 0 { continue }
                encoded.append(0)
                encoded.append(unsigned: UInt64(zeros))
                zeros = 0
                continue
            }
            let place = encoded.count
            encoded.append(0)
            for byte in 0..<8 where word >> UInt64(8 * byte) & 0xff != 0 {
                encoded[place] |= 1 << UInt8(byte)
                encoded.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * byte)))
            }
        }
        bytes.append(checksum: CRC32C.checksum(encoded))
        bytes += encoded
    }
}

extension [UInt8] {
    fileprivate mutating func append(checksum: UInt32) {
        for shift in stride(from: UInt32(0), to: 32, by: 8) { append(UInt8(truncatingIfNeeded: checksum >> shift)) }
    }
}

/// The values of one block of slots, slot by slot, on their way into a section. Reused for all blocks of a stretch.
@safe private final class SectionTable {
    private let rowCount: Int
    private let groups: Int
    private var width = 0
    private var values: [UInt64] = []
    private var masks: [RowMask] = []
    private(set) var sampleCount = 0
    private var column: [UInt8] = []

    init(rowCount: Int) {
        self.rowCount = rowCount
        groups = (rowCount + RowMask.bitWidth - 1) / RowMask.bitWidth
    }

    func fill(_ sources: [RowSource], block: Int) {
        width = ActiveChunk.width(ofBlock: block)
        // Decoding a chunk writes 16 rows.
        let stride = rowCount + ColumnCodec.rows
        if values.count < width * stride { values = [UInt64](repeating: 0, count: width * stride) }
        masks = [RowMask](repeating: 0, count: width * groups)
        var row = 0
        for source in sources {
            for column in 0..<width {
                let slot = RingSlot(block: block, column: column)
                unsafe values.withUnsafeMutableBufferPointer { values in
                    let target = unsafe values.baseAddress! + column * stride + row
                    switch source {
                    case .chunk(let record):
                        let count = unsafe Int(record.header.rowCount)
                        let mask = unsafe record.column(slot, rowCount: count, into: target)
                        note(mask, column, row)
                    case .stretch(let reader):
                        var own = [RowMask](repeating: 0, count: reader.groupCount)
                        unsafe own.withUnsafeMutableBufferPointer { own in
                            _ = unsafe reader.column(slot, into: target, own.baseAddress!)
                        }
                        for (group, mask) in own.enumerated() { note(mask, column, row + group * RowMask.bitWidth) }
                    }
                }
            }
            row += source.rowCount
        }
        sampleCount = masks.reduce(0) { $0 + $1.nonzeroBitCount }
    }

    /// Marks 16 rows from `row` on, which may belong to two groups.
    private func note(_ mask: RowMask, _ column: Int, _ row: Int) {
        if mask == 0 { return }
        let group = column * groups + row / RowMask.bitWidth
        let shift = row % RowMask.bitWidth
        masks[group] |= mask << RowMask(shift)
        let high = shift == 0 ? 0 : mask >> RowMask(RowMask.bitWidth - shift)
        if high != 0 { masks[group + 1] |= high }
    }

    func append(to section: inout [UInt8]) {
        if sampleCount == 0 { return }
        var lengths: [UInt8] = []
        var columns: [UInt8] = []
        let stride = rowCount + ColumnCodec.rows
        for index in 0..<width {
            column.removeAll(keepingCapacity: true)
            unsafe values.withUnsafeBufferPointer { values in
                unsafe masks.withUnsafeBufferPointer { masks in
                    unsafe SeriesCodec.encode(
                        values.baseAddress! + index * stride, masks.baseAddress! + index * groups, rowCount: rowCount,
                        to: &column)
                }
            }
            let length = column.isEmpty ? 0 : column.count + 4
            lengths.append(UInt8(truncatingIfNeeded: length))
            lengths.append(UInt8(truncatingIfNeeded: length >> 8))
            if column.isEmpty { continue }
            columns.append(checksum: CRC32C.checksum(column))
            columns += column
        }
        section.append(checksum: CRC32C.checksum(lengths))
        section += lengths
        section += columns
    }
}
