internal import Runtime

/// The header of a stretch: the rows of several chunks of one lane, neighbours in time, stored series by series.
///
/// ```
/// StretchHeader                 80 bytes
/// rows                          of each chunk: chunks skipped before it, rows, histogram words (varints); the times
///                               (StepFrames); lengths of the sections and of the words (varints)
/// sections                      one per block of slots: CRC-32C of the lengths (4 bytes), the length of each slot's
///                               column (2 bytes each), the columns: CRC-32C (4 bytes), SeriesCodec. A slot without
///                               samples has no column; a block without samples has an empty section
/// histogram words               CRC-32C (4 bytes), of each word a mask of its bytes that are not zero, and these; for
///                               neighbours that are zero, 0 and their number (varint)
/// ```
/// All numbers are little-endian. Each part has its own checksum: damage affects the rows of one lane, a block of
/// slots, one series, or the histograms.
struct StretchHeader: Equatable {
    static let size = 80
    static let mark: UInt64 = 0x3130_4843_5254_5354  // "TSTRCH01"
    /// The usual maximum of samples, with those that are missing, and histogram words, so that the writer's memory is
    /// limited.
    static let mostCells = 16 << 20
    /// The maximum of histogram words.
    static let mostWords = 1 << 28
    /// The usual number of rows; lanes with many slots have fewer.
    static let usualRows = 1 << 10

    var magic = StretchHeader.mark
    /// Of the whole record.
    var length: UInt32 = 0
    var lane: UInt32
    var firstChunk: UInt32
    var lastChunk: UInt32
    var chunkCount: UInt32
    var rowCount: UInt32
    var blockCount: UInt32
    /// The newest revision of the series log that the chunks name.
    var revision: UInt32
    var sampleCount: UInt64 = 0
    var oldest: Int64
    var newest: Int64
    var rowsLength: UInt32 = 0
    /// CRC-32C of the rows.
    var rowsChecksum: UInt32 = 0
    /// The number of histogram words.
    var wordCount: UInt32 = 0
    /// CRC-32C of the fields above.
    var complete: UInt32 = 0

    /// Whether the header is valid.
    var isWhole: Bool {
        magic == Self.mark && complete == checksum && rowCount <= SeriesCodec.mostRows && chunkCount <= rowCount
            && firstChunk <= lastChunk && wordCount <= Self.mostWords && Int(length) >= Self.size + Int(rowsLength)
    }

    /// The expected value of `complete`.
    var checksum: UInt32 {
        var copy = self
        copy.complete = 0
        return unsafe withUnsafeBytes(of: &copy) { unsafe CRC32C.checksum($0) }
    }

    /// The bytes.
    var bytes: [UInt8] {
        var copy = self
        return unsafe withUnsafeBytes(of: &copy) { unsafe Array($0) }
    }

    /// Reads a header from 80 bytes.
    static func read(_ bytes: UnsafeRawPointer) -> StretchHeader {
        unsafe bytes.loadUnaligned(as: StretchHeader.self)
    }

    /// The most rows of a stretch of a lane with this number of slots, and histogram words per row.
    static func mostRows(slots: Int, words: Int) -> Int {
        min(usualRows, max(mostCells / max(slots + words, 1), 2 * ColumnCodec.rows))
    }
}
