internal import Glibc

/// The header of a sealed chunk: up to 16 rows of one lane, immutable once it is in a segment.
///
/// ```
/// ChunkHeader                                                       80 bytes
/// UInt32 × (2 + blockCount)   offsets of times, histograms and each block in the record
/// times                       ColumnCodec.encodeTimes
/// blocks                      UInt16 × (width + 1): offset of each slot's column, in units of 2 bytes from the
///                             block's start; then the columns (ColumnCodec)
/// histograms                  words that the histogram columns refer to
/// ```
/// All numbers are little-endian. The header has its own checksum, so that it can be used before the body is read. It
/// contains the checksum of the body.
struct ChunkHeader {
    static let size = 80
    static let mark: UInt64 = 0x3130_4b4e_5548_4354  // "TCHUNK01"
    /// Records begin at multiples of this.
    static let alignment = 16

    var magic = ChunkHeader.mark
    var length: UInt32
    var lane: UInt32
    var chunk: UInt32
    var rowCount: UInt32
    var blockCount: UInt32
    var sampleCount: UInt32
    /// The oldest time of all samples, including their own timestamps.
    var oldest: Int64
    var newest: Int64
    /// 1 if every row is later than the previous one.
    var ascending: UInt64
    var bodyChecksum: UInt64
    /// Checksum of the fields above.
    var complete: UInt64 = 0
    /// The series log's revision when the chunk was sealed.
    var revision: UInt32 = 0
    var unused: UInt32 = 0

    /// Whether the header is valid.
    var isWhole: Bool { magic == Self.mark && complete == checksum && rowCount <= ColumnCodec.rows }

    /// The expected value of `complete`.
    var checksum: UInt64 {
        var copy = self
        copy.complete = 0
        return unsafe withUnsafeBytes(of: &copy) { unsafe ByteHash.checksum($0) }
    }
}

/// A sealed chunk in memory. Valid while its segment is pinned.
@unsafe struct ChunkRecord {
    let base: UnsafeRawPointer

    var header: ChunkHeader { unsafe base.load(as: ChunkHeader.self) }

    /// The checksum of the bytes after the header, including the padding.
    var bodyChecksum: UInt64 {
        unsafe ByteHash.checksum(
            UnsafeRawBufferPointer(start: base + ChunkHeader.size, count: Int(header.length) - ChunkHeader.size))
    }

    private func part(_ index: Int) -> UnsafeRawPointer {
        unsafe base + Int(base.load(fromByteOffset: ChunkHeader.size + 4 * index, as: UInt32.self))
    }

    /// The times of the rows.
    func times(_ count: Int) -> [Int64] {
        unsafe ColumnCodec.decodeTimes(part(0), count: count)
    }

    /// The words that histogram columns refer to.
    var histograms: UnsafePointer<UInt64> {
        unsafe part(1).assumingMemoryBound(to: UInt64.self)
    }

    /// The number of those words, with the padding of the record.
    var wordCount: Int {
        unsafe (Int(header.length) - Int(base.load(fromByteOffset: ChunkHeader.size + 4, as: UInt32.self))) / 8
    }

    /// Decodes the column of `slot`. A slot that did not exist when the chunk was sealed is empty.
    func column(_ slot: RingSlot, rowCount: Int, into values: UnsafeMutablePointer<UInt64>) -> RowMask {
        guard unsafe slot.block < Int(base.load(fromByteOffset: 24, as: UInt32.self)) else { return 0 }
        let block = unsafe part(2 + slot.block)
        let start = unsafe 2 * Int(block.load(fromByteOffset: 2 * slot.column, as: UInt16.self))
        let end = unsafe 2 * Int(block.load(fromByteOffset: 2 * slot.column + 2, as: UInt16.self))
        return unsafe ColumnCodec.decode(block + start, length: end - start, rowCount: rowCount, into: values)
    }

    /// Decodes several columns of a block, each to its place `stride` values after the previous one.
    func copy(
        _ columns: ArraySlice<UInt8>, block index: Int, into values: UnsafeMutablePointer<UInt64>, stride: Int,
        _ masks: UnsafeMutablePointer<RowMask>
    ) {
        guard unsafe index < Int(base.load(fromByteOffset: 24, as: UInt32.self)) else {
            for series in 0..<columns.count { unsafe masks[series] = 0 }
            return
        }
        let rowCount = unsafe Int(header.rowCount)
        let block = unsafe part(2 + index)
        for (series, column) in columns.enumerated() {
            let start = unsafe 2 * Int(block.load(fromByteOffset: 2 * Int(column), as: UInt16.self))
            let end = unsafe 2 * Int(block.load(fromByteOffset: 2 * Int(column) + 2, as: UInt16.self))
            unsafe masks[series] = ColumnCodec.decode(
                block + start, length: end - start, rowCount: rowCount, into: values + series * stride)
        }
    }
}
