internal import MetricModel
internal import Runtime

/// Reads one stretch for one query: its rows at once, columns when they are requested.
///
/// Owned by one thread. Parts that cannot be read, or whose checksums are wrong, have no samples; the block notes them.
final class StretchReader {
    let header: StretchHeader
    let rows: StretchRows
    private let block: BlockFile
    private let start: Int
    /// The section read last: its block of slots, where its columns begin in the record, and their places after that.
    private var section = (block: -1, start: 0, ends: [Int]())
    private var cachedWords: [UInt64]??

    /// `nil` if the rows are damaged.
    init?(_ place: StretchPlace) {
        header = place.header
        block = place.block
        start = place.offset
        let length = Int(place.header.rowsLength)
        guard let bytes = block.read(start + StretchHeader.size, length),
            CRC32C.checksum(bytes.prefix(length)) == header.rowsChecksum,
            let rows = unsafe bytes.withUnsafeBytes({ bytes in
                unsafe StretchRows(place.header, ByteCursor(bytes.baseAddress!, count: length))
            })
        else {
            block.noteDamage("the rows of lane \(place.header.lane) at byte \(place.offset)", at: place.offset)
            return nil
        }
        self.rows = rows
    }

    /// Masks per column.
    var groupCount: Int { (rows.times.count + RowMask.bitWidth - 1) / RowMask.bitWidth }

    /// Decodes the column of `slot`: a value per row, and a mask per 16 rows. `values` needs room for 16 more.
    ///
    /// - Parameter end: the row after the last one whose value is needed.
    /// - Returns: whether the column could be read; without it, no row has a value.
    func column(
        _ slot: RingSlot, through end: Int = .max, into values: UnsafeMutablePointer<UInt64>,
        _ masks: UnsafeMutablePointer<RowMask>
    ) -> Bool {
        var isRead = false
        unsafe columns(CollectionOfOne(UInt8(slot.column)), block: slot.block) { _, input in
            guard let input = unsafe input,
                unsafe SeriesCodec.decode(input, rowCount: rows.times.count, through: end, into: values, masks)
            else {
                unsafe masks.update(repeating: 0, count: groupCount)
                isRead = false
                return false
            }
            isRead = true
            return true
        }
        return isRead
    }

    /// Decodes the column of `slot` in chunk `number`: up to 16 values. Returns the rows that have one.
    func column(
        _ slot: RingSlot, ofChunk number: Int, into target: UnsafeMutablePointer<UInt64>
    ) -> RowMask {
        guard let own = rows.rows(of: number) else { return 0 }
        var values = [UInt64](repeating: 0, count: rows.times.count + ColumnCodec.rows)
        var masks = [RowMask](repeating: 0, count: groupCount)
        unsafe values.withUnsafeMutableBufferPointer { values in
            unsafe masks.withUnsafeMutableBufferPointer { masks in
                _ = unsafe column(slot, into: values.baseAddress!, masks.baseAddress!)
            }
        }
        var mask: RowMask = 0
        for (index, row) in own.enumerated() {
            unsafe target[index] = values[row]
            mask |= (masks[row / RowMask.bitWidth] >> RowMask(row % RowMask.bitWidth) & 1) << RowMask(index)
        }
        return mask
    }

    /// Calls `body` with the bytes of each column of one block of slots; `nil` for damaged ones. `body` returns whether
    /// the bytes were valid.
    func columns(
        _ columns: some Collection<UInt8>, block index: Int, _ body: (Int, ByteCursor?) -> Bool
    ) {
        guard select(index), let first = columns.min(), let last = columns.max() else {
            for number in 0..<columns.count { _ = body(number, nil) }
            return
        }
        let span = end(Int(first) - 1)..<max(end(Int(last)), end(Int(first) - 1))
        // Columns are not kept: a query may have thousands of readers.
        let loaded = block.read(start + section.start + span.lowerBound, span.count)
        let bytes = loaded ?? [UInt8](repeating: 0, count: BitPacking.slack)
        for (number, column) in columns.enumerated() {
            let (from, to) = (end(Int(column) - 1), end(Int(column)))
            guard to > from else {
                unsafe bytes.withUnsafeBytes { bytes in
                    _ = unsafe body(number, ByteCursor(bytes.baseAddress!, count: 0))
                }
                continue
            }
            let offset = from - span.lowerBound
            var isValid = false
            if loaded != nil, to - from > 4 {
                isValid = unsafe bytes.withUnsafeBytes { bytes in
                    let sum = unsafe UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
                    let data = unsafe UnsafeRawBufferPointer(rebasing: bytes[offset + 4..<offset + to - from])
                    guard unsafe CRC32C.checksum(data) == sum else { return false }
                    return unsafe body(number, ByteCursor(data.baseAddress!, count: data.count))
                }
            }
            if isValid { continue }
            _ = body(number, nil)
            block.noteDamage(
                "slot \(column) of block \(index) of lane \(header.lane) at byte \(start + section.start + from)",
                at: start + section.start + from)
        }
    }

    /// Where `column` ends, from the first column of the section; -1 is the start.
    private func end(_ column: Int) -> Int {
        column < 0 ? 0 : section.ends[column]
    }

    /// Makes `index` the current section. Returns `false` if it is damaged, or the stretch has no such slots.
    private func select(_ index: Int) -> Bool {
        if section.block == index { return !section.ends.isEmpty }
        section = (index, 0, [])
        let width = ActiveChunk.width(ofBlock: index)
        guard index < Int(header.blockCount), rows.sections[index + 1] > rows.sections[index] else {
            section.ends = Array(repeating: 0, count: width)
            return true
        }
        let place = start + rows.sections[index]
        let length = 4 + 2 * width
        guard rows.sections[index + 1] - rows.sections[index] >= length, let bytes = block.read(place, length),
            Self.isWhole(bytes, length)
        else {
            block.noteDamage("block \(index) of lane \(header.lane) at byte \(place)", at: place)
            return false
        }
        var end = 0
        let most = rows.sections[index + 1] - rows.sections[index] - length
        var ends: [Int] = []
        for column in 0..<width {
            end += Int(bytes[4 + 2 * column]) | Int(bytes[5 + 2 * column]) << 8
            guard end <= most else { return false }
            ends.append(end)
        }
        section.ends = ends
        section.start = rows.sections[index] + length
        return true
    }

    /// Whether the first four of `length` bytes are the checksum of the others.
    private static func isWhole(_ bytes: [UInt8], _ length: Int) -> Bool {
        let sum = unsafe bytes.withUnsafeBytes { unsafe UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self)) }
        return CRC32C.checksum(bytes[4..<length]) == sum
    }

    /// All histogram words; `nil` if they are damaged.
    var words: [UInt64]? {
        if let cachedWords { return cachedWords }
        let words = readWords()
        cachedWords = .some(words)
        return words
    }

    private func readWords() -> [UInt64]? {
        let place = rows.sections[Int(header.blockCount)]
        let length = rows.end - place
        guard length > 0 else { return rows.wordCount == 0 ? [] : nil }
        guard length > 4, let bytes = block.read(start + place, length),
            Self.isWhole(bytes, length)
        else {
            block.noteDamage("the histograms of lane \(header.lane) at byte \(start + place)", at: start + place)
            return nil
        }
        return unsafe bytes.withUnsafeBytes { bytes in
            unsafe Self.words(ByteCursor(bytes.baseAddress! + 4, count: length - 4), count: rows.wordCount)
        }
    }

    /// Decodes `count` words; `nil` if there are more or fewer.
    static func words(_ input: ByteCursor, count: Int) -> [UInt64]? {
        var input = unsafe input
        var words: [UInt64] = []
        while let mask = unsafe input.byte() {
            if mask == 0 {
                guard let zeros = unsafe input.varint(), zeros <= UInt64(count - words.count) else { return nil }
                words.append(contentsOf: repeatElement(0, count: Int(zeros)))
                continue
            }
            guard words.count < count else { return nil }
            var word: UInt64 = 0
            for byte in 0..<8 where mask >> UInt8(byte) & 1 != 0 {
                guard let own = unsafe input.byte() else { return nil }
                word |= UInt64(own) << UInt64(8 * byte)
            }
            words.append(word)
        }
        return words.count == count ? words : nil
    }
}
