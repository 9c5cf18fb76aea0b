internal import MetricModel
internal import Synchronization

/// The native histograms of a lane's active chunk, as consecutive words. Columns hold the offset of each.
///
/// Written by the lane's writer before it publishes the row, read like the values of the active chunk, and overwritten
/// from the start by the next chunk. Memory grows in pieces that double in size, so that words never move.
///
/// `@unchecked`: pieces are published by release stores, words are atomics, `mappings` and `used` belong to the writer.
@safe final class HistogramArena: @unchecked Sendable {
    static let firstPiece = 1 << 9
    static let pieceCount = 20

    private let pieces: UnsafeMutablePointer<Atomic<UInt>>
    var mappings: [Mapping] = []
    var used = 0

    init() {
        unsafe pieces = .allocate(capacity: Self.pieceCount)
        for index in 0..<Self.pieceCount { unsafe (pieces + index).initialize(to: Atomic(0)) }
    }

    deinit {
        unsafe pieces.deallocate()
    }

    /// Words of all pieces before `piece`.
    static func start(ofPiece piece: Int) -> Int { firstPiece * ((1 << piece) - 1) }

    private static func piece(of offset: Int) -> Int {
        Int.bitWidth - 1 - (offset / firstPiece + 1).leadingZeroBitCount
    }

    /// Clears the arena for the next chunk.
    func clear() {
        used = 0
    }

    /// Stores `words` and returns their offset; `nil` if there is no memory.
    func append(_ words: [UInt64]) -> Int? {
        var piece = Self.piece(of: used)
        if used + words.count > Self.start(ofPiece: piece + 1) {
            repeat { piece += 1 } while words.count > Self.firstPiece << piece
            used = Self.start(ofPiece: piece)
        }
        guard piece < Self.pieceCount else { return nil }
        while mappings.count <= piece {
            guard addPiece() else { return nil }
        }
        let offset = used
        for (index, word) in words.enumerated() {
            unsafe self.word(offset + index)?.pointee.store(word, ordering: .relaxed)
        }
        used += words.count
        return offset
    }

    /// Maps the next piece. Returns false if there is no memory.
    private func addPiece() -> Bool {
        do throws(StoreError) {
            let mapping = try Mapping(anonymous: 8 * Self.firstPiece << mappings.count)
            unsafe pieces[mappings.count].store(UInt(bitPattern: mapping.base), ordering: .releasing)
            mappings.append(mapping)
            return true
        } catch {
            // The appender reports that the sample was rejected.
            return false
        }
    }

    /// Stores a word at the offset that it had in an earlier process. Returns false if there is no memory.
    func restore(_ word: UInt64, at offset: Int) -> Bool {
        let piece = Self.piece(of: offset)
        guard piece < Self.pieceCount else { return false }
        while mappings.count <= piece {
            guard addPiece() else { return false }
        }
        unsafe self.word(offset)?.pointee.store(word, ordering: .relaxed)
        used = max(used, offset + 1)
        return true
    }

    /// The word at `offset`; `nil` outside the mapped memory.
    private func word(_ offset: Int) -> AtomicWords? {
        let piece = Self.piece(of: offset)
        guard piece < Self.pieceCount else { return nil }
        let base = unsafe AtomicWords(bitPattern: pieces[piece].load(ordering: .acquiring))
        return unsafe base.map { unsafe $0 + (offset - Self.start(ofPiece: piece)) }
    }

    /// The word at `offset`; zero outside the mapped memory, where an overtaken reader may look.
    subscript(offset: Int) -> UInt64 {
        unsafe word(offset)?.pointee.load(ordering: .relaxed) ?? 0
    }
}

/// A native histogram as words.
///
/// ```
/// schema and hint · numbers of spans, buckets and bounds (16 bits each) · numbers of bounds
/// zero threshold · zero count · count · sum · spans (offset and length in a word) · buckets · custom bounds
/// ```
enum HistogramWords {
    private static let fixed = 7
    /// Limit of spans, buckets and bounds each. Prometheus's own limit is far lower.
    static let mostParts = Int(UInt16.max)

    /// The words; `nil` if the histogram has more parts than ``mostParts``.
    static func encode(_ histogram: FloatHistogram) -> [UInt64]? {
        let counts = [
            histogram.positiveSpans.count, histogram.negativeSpans.count, histogram.positiveBuckets.count,
            histogram.negativeBuckets.count,
        ]
        guard counts.allSatisfy({ $0 <= mostParts }), histogram.customValues.count <= mostParts else { return nil }
        var words: [UInt64] = [
            UInt64(UInt32(bitPattern: histogram.schema)) | UInt64(histogram.counterResetHint.rawValue) << 32,
            counts.enumerated().reduce(0) { $0 | UInt64($1.element) << UInt64(16 * $1.offset) },
            UInt64(histogram.customValues.count),
            histogram.zeroThreshold.bitPattern, histogram.zeroCount.bitPattern, histogram.count.bitPattern,
            histogram.sum.bitPattern,
        ]
        for span in histogram.positiveSpans + histogram.negativeSpans {
            words.append(UInt64(UInt32(bitPattern: span.offset)) | UInt64(span.length) << 32)
        }
        words += (histogram.positiveBuckets + histogram.negativeBuckets + histogram.customValues).map(\.bitPattern)
        return words
    }

    /// The histogram at `offset`. The words are not trusted.
    static func decode(at offset: Int, _ word: (Int) -> UInt64) -> FloatHistogram {
        var histogram = FloatHistogram()
        let first = word(offset)
        histogram.schema = Int32(bitPattern: UInt32(truncatingIfNeeded: first))
        histogram.counterResetHint = .init(rawValue: UInt8(truncatingIfNeeded: first >> 32)) ?? .unknown
        let counts = (0..<4).map { Int(word(offset + 1) >> UInt64(16 * $0) & 0xffff) }
        let bounds = Int(word(offset + 2) & 0xffff)
        func double(_ index: Int) -> Double { Double(bitPattern: word(index)) }
        histogram.zeroThreshold = double(offset + 3)
        histogram.zeroCount = double(offset + 4)
        histogram.count = double(offset + 5)
        histogram.sum = double(offset + 6)
        var next = offset + fixed
        func spans(_ count: Int) -> [FloatHistogram.Span] {
            defer { next += count }
            return (next..<next + count).map { index in
                let word = word(index)
                return .init(
                    offset: Int32(bitPattern: UInt32(truncatingIfNeeded: word)),
                    length: UInt32(truncatingIfNeeded: word >> 32))
            }
        }
        func doubles(_ count: Int) -> [Double] {
            defer { next += count }
            return (next..<next + count).map(double)
        }
        histogram.positiveSpans = spans(counts[0])
        histogram.negativeSpans = spans(counts[1])
        histogram.positiveBuckets = doubles(counts[2])
        histogram.negativeBuckets = doubles(counts[3])
        histogram.customValues = doubles(bounds)
        return histogram
    }
}
