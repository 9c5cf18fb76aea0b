/// The rows of a stretch: its chunks, the time of each row, and where the sections are.
struct StretchRows {
    /// The part of a stretch that was one chunk.
    struct Chunk: Equatable {
        var number: UInt32
        var rowCount: Int
        var wordCount: Int
    }

    private(set) var chunks: [Chunk] = []
    /// The first row of each chunk.
    private(set) var starts: [Int] = []
    /// The first histogram word of each chunk.
    private(set) var wordStarts: [Int] = []
    private(set) var wordCount = 0
    private(set) var times: [Int64] = []
    /// Where each section begins in the record, and the end of the last one, where the histogram words are.
    private(set) var sections: [Int] = []
    private(set) var end = 0

    /// Reads the rows of a stretch; `nil` if they do not agree with its header.
    init?(_ header: StretchHeader, _ input: ByteCursor) {
        var input = unsafe input
        var rowCount = 0
        var next = UInt64(header.firstChunk)
        for _ in 0..<header.chunkCount {
            guard let skipped = unsafe input.varint(), let rows = unsafe input.varint(),
                let words = unsafe input.varint(), skipped <= UInt64(UInt32.max),
                rows > 0, rows <= UInt64(ColumnCodec.rows), words < 1 << 32, next + skipped <= UInt64(header.lastChunk)
            else { return nil }
            next += skipped
            chunks.append(Chunk(number: UInt32(next), rowCount: Int(rows), wordCount: Int(words)))
            starts.append(rowCount)
            wordStarts.append(wordCount)
            rowCount += Int(rows)
            wordCount += Int(words)
            next += 1
        }
        guard rowCount == Int(header.rowCount), rowCount > 0, wordCount <= Int(header.wordCount) else { return nil }
        times = [Int64](repeating: 0, count: rowCount)
        let isValid = unsafe times.withUnsafeMutableBufferPointer { times in
            unsafe StepFrames.decode(&input, count: rowCount, wanted: rowCount, into: times.baseAddress!)
        }
        guard isValid else { return nil }
        end = StretchHeader.size + Int(header.rowsLength)
        for _ in 0...header.blockCount {
            guard let length = unsafe input.varint(), length <= UInt64(header.length) else { return nil }
            sections.append(end)
            end += Int(length)
        }
        guard unsafe input.rest == 0, end == Int(header.length) else { return nil }
    }

    /// The rows of the chunks `birth...death`.
    func rows(from birth: Int, through death: Int) -> Range<Int> {
        let first = chunks.partitioningIndex { Int($0.number) >= birth }
        let last = chunks.partitioningIndex { Int($0.number) > death }
        let start = first < chunks.count ? starts[first] : times.count
        return start..<max(start, last < chunks.count ? starts[last] : times.count)
    }

    /// The rows of chunk `number`; `nil` if it is not in the stretch.
    func rows(of number: Int) -> Range<Int>? {
        let index = chunks.partitioningIndex { Int($0.number) >= number }
        guard index < chunks.count, Int(chunks[index].number) == number else { return nil }
        return starts[index]..<starts[index] + chunks[index].rowCount
    }
}

/// Parts of a block without their checksums, for fuzzing.
package enum BlockParts {
    /// Reads `bytes` as a header with the rows of a stretch behind it, and as histogram words. Nothing traps, and what
    /// is read is within its limits.
    package static func areWithinLimits(_ bytes: [UInt8]) -> Bool {
        let padded = bytes + [UInt8](repeating: 0, count: BitPacking.slack)
        return unsafe padded.withUnsafeBytes { padded in
            let start = padded.baseAddress!
            let words = unsafe StretchReader.words(ByteCursor(start, count: bytes.count), count: 1 << 12)
            if let words, words.count != 1 << 12 { return false }
            guard bytes.count >= StretchHeader.size else { return true }
            var header = unsafe StretchHeader.read(start)
            header.complete = header.checksum
            header.magic = StretchHeader.mark
            header.rowCount &= 0x3ff
            header.chunkCount = min(header.chunkCount, header.rowCount)
            header.complete = header.checksum
            guard header.isWhole,
                let rows = unsafe StretchRows(
                    header, ByteCursor(start + StretchHeader.size, count: bytes.count - StretchHeader.size))
            else { return true }
            return rows.times.count == Int(header.rowCount)
                && rows.rows(from: 0, through: .max) == 0..<rows.times.count && rows.end == Int(header.length)
        }
    }
}

extension Array {
    /// The index of the first element for which `isAfter` is true, in an array where all later ones are true too.
    func partitioningIndex(_ isAfter: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if isAfter(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
