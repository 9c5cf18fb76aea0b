internal import Synchronization

/// The record that a commit adds to the row log: rows of one lane, which follow those of earlier records of the same
/// chunk.
///
/// ```
/// RowRecordHeader                                          64 bytes
/// Int64 × rowCount     time of each row
/// words                histogram words from `firstWord` on: a bit per byte that is not zero, then those bytes
/// rows                 for each row, each block (RowCodec)
/// padding              to a multiple of 8
/// ```
/// A record with `firstRow` 0 holds the whole chunk so far and replaces earlier records of that chunk.
struct RowRecordHeader {
    static let size = 64
    static let alignment = 8
    static let mark: UInt32 = 0x3157_4f52  // "ROW1"

    /// Over everything after it, combined with the place of the record.
    var checksum: UInt64 = 0
    var mark = RowRecordHeader.mark
    /// Length of the whole record.
    var length: UInt32 = 0
    var lane: UInt32
    var chunk: UInt32
    var firstRow: UInt32
    var rowCount: UInt32
    var blockCount: UInt32
    /// The first of the histogram words in this record.
    var firstWord: UInt32
    var wordCount: UInt32
    /// The series log's revision when the record was written.
    var revision: UInt32
    /// The oldest time of all samples of the chunk so far, including their own timestamps.
    var oldest: Int64
    var newest: Int64
}

extension RowRecordHeader {
    /// The checksum of the bytes after the checksum, without the place.
    static func checksum(of record: UnsafeRawBufferPointer) -> UInt64 {
        unsafe ByteHash.checksum(UnsafeRawBufferPointer(rebasing: record[8...]))
    }

    /// A number that is combined with the checksum, so that a record copied elsewhere is invalid.
    static func place(file: UInt32, offset: Int) -> UInt64 {
        (UInt64(file) << 32 | UInt64(offset)) &* 0x9e37_79b9_7f4a_7c15
    }
}

extension ActiveChunk {
    /// Calls `body` with the record of the rows `rows` of `chunk`. The row log sets its checksum and place.
    ///
    /// - Parameters:
    ///   - blockCount: the number of blocks that may have values in these rows.
    ///   - words: the histogram words of these rows; may include words that were rolled back.
    ///   - range: the oldest and the newest time of the chunk, including these rows.
    ///   - revision: the series log's revision.
    /// - Complexity: one pass over the lane's slots per row.
    func withRecord<Result, Failure: Error>(
        lane: UInt32, chunk: Int, rows: Range<Int>, blockCount: Int, words: Range<Int>,
        range: (oldest: Int64, newest: Int64), revision: UInt32,
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let blocks = unsafe self.blocks
        var perRow = 8
        for index in 0..<blockCount { unsafe perRow += RowCodec.longest(width: blocks[index].width) }
        let most =
            RowRecordHeader.size + rows.count * perRow + 9 * words.count + RowCodec.slack + RowRecordHeader.alignment
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: most, alignment: 16)
        defer { unsafe buffer.deallocate() }
        var end = RowRecordHeader.size
        for row in rows {
            let time = unsafe header[Word.rowTimes + row].load(ordering: .relaxed)
            unsafe buffer.storeBytes(of: time.littleEndian, toByteOffset: end, as: UInt64.self)
            end += 8
        }
        for offset in words { unsafe Self.write(histograms[offset], buffer, &end) }
        for row in rows {
            for index in 0..<blockCount { unsafe RowCodec.encode(blocks[index], row: row, into: buffer, &end) }
        }
        let length = (end + RowRecordHeader.alignment - 1) & -RowRecordHeader.alignment
        unsafe (buffer + end).initializeMemory(as: UInt8.self, repeating: 0, count: length - end)
        let header = RowRecordHeader(
            length: UInt32(length), lane: lane, chunk: UInt32(chunk), firstRow: UInt32(rows.lowerBound),
            rowCount: UInt32(rows.count), blockCount: UInt32(blockCount),
            firstWord: UInt32(words.lowerBound), wordCount: UInt32(words.count), revision: revision,
            oldest: range.oldest, newest: range.newest)
        unsafe buffer.storeBytes(of: header, as: RowRecordHeader.self)
        return try unsafe body(UnsafeMutableRawBufferPointer(start: buffer, count: length))
    }

    private static func write(_ word: UInt64, _ output: UnsafeMutableRawPointer, _ end: inout Int) {
        var bits: UInt8 = 0
        var next = end + 1
        for index in 0..<8 {
            let byte = UInt8(truncatingIfNeeded: word >> UInt64(8 * index))
            if byte == 0 { continue }
            bits |= 1 << UInt8(index)
            unsafe output.storeBytes(of: byte, toByteOffset: next, as: UInt8.self)
            next += 1
        }
        unsafe output.storeBytes(of: bits, toByteOffset: end, as: UInt8.self)
        end = next
    }

    /// Restores the rows of a record with a valid checksum that follows the current rows. Returns whether it was
    /// well-formed.
    func restore(_ header: RowRecordHeader, _ record: UnsafeRawBufferPointer) throws(StoreError) -> Bool {
        let rows = Int(header.firstRow)..<Int(header.firstRow) + Int(header.rowCount)
        var offset = RowRecordHeader.size + 8 * rows.count
        guard rows.upperBound <= ColumnCodec.rows, Int(header.blockCount) <= record.count, offset <= record.count,
            Int(header.wordCount) <= record.count
        else { return false }
        while blockCount < Int(header.blockCount) { try addBlock() }
        for (index, row) in rows.enumerated() {
            let time = unsafe record.loadUnaligned(fromByteOffset: RowRecordHeader.size + 8 * index, as: UInt64.self)
            unsafe self.header[Word.rowTimes + row].store(UInt64(littleEndian: time), ordering: .relaxed)
        }
        for index in 0..<Int(header.wordCount) {
            guard let word = unsafe Self.readWord(record, &offset) else { return false }
            guard histograms.restore(word, at: Int(header.firstWord) + index) else {
                throw StoreError(.system, "no memory for histograms")
            }
        }
        let blocks = unsafe self.blocks
        for row in rows {
            for index in 0..<Int(header.blockCount) {
                guard unsafe RowCodec.decode(record, &offset, into: blocks[index], row: row) else { return false }
            }
        }
        unsafe self.header[Word.oldest].store(UInt64(bitPattern: header.oldest), ordering: .relaxed)
        unsafe self.header[Word.newest].store(UInt64(bitPattern: header.newest), ordering: .relaxed)
        return true
    }

    private static func readWord(_ input: UnsafeRawBufferPointer, _ offset: inout Int) -> UInt64? {
        guard offset < input.count else { return nil }
        let bits = unsafe input[offset]
        guard offset + bits.nonzeroBitCount < input.count else { return nil }
        var word: UInt64 = 0
        offset += 1
        for index in 0..<8 where bits >> UInt8(index) & 1 == 1 {
            unsafe word |= UInt64(input[offset]) << UInt64(8 * index)
            offset += 1
        }
        return word
    }
}
