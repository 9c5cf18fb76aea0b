internal import Durable
internal import Glibc

/// Reads records in order. Belongs to the thread that delivers them to the database.
///
/// A damaged record loses only itself: the next valid one is searched in the same segment, then in the next one.
@safe final class SpoolReader {
    private let directory: SpoolDirectory
    private var segment: UInt64?
    private var descriptor: Int32 = -1
    private var offset = 0
    private var coverage = RecordFrame.Coverage.wholeRecord

    init(directory: SpoolDirectory) {
        self.directory = directory
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Resets its position, so that the next read searches for it.
    func rewind() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
        segment = nil
    }

    /// The records after `position` up to `last`, at most `count` of them and about `byteLimit` bytes.
    ///
    /// - Parameter segments: first sequences of the existing segments, ascending.
    func records(
        after position: UInt64, through last: UInt64, in segments: [UInt64], count: Int, byteLimit: Int = 4 << 20
    ) throws(HistoryError) -> [RecordFrame.Record] {
        var found: [RecordFrame.Record] = []
        var position = position
        var bytes = 0
        guard position < last else { return [] }
        if segment == nil {
            guard let first = segments.last(where: { $0 <= position + 1 }) ?? segments.first else { return [] }
            try open(first)
        }
        while found.count < count, bytes < byteLimit, position < last {
            let buffer = try read(at: offset)
            var index = 0
            reading: while found.count < count, bytes < byteLimit, position < last {
                switch RecordFrame.piece(of: buffer, at: index, coverage: coverage) {
                case .record(let record, let end):
                    guard record.sequence <= last else { return found }
                    index = end
                    if record.sequence > position {
                        position = record.sequence
                        bytes += record.payload.count
                        found.append(record)
                    }
                case .incomplete where index > 0: break reading
                case .incomplete, .damaged:
                    // Bytes of a segment that was abandoned after a failed sync are skipped like damaged ones.
                    guard
                        let next = SpoolSegment.next(
                            in: buffer, after: index, sequences: position + 1...last, coverage)
                    else {
                        break reading
                    }
                    index = next
                }
            }
            offset += index
            if index == 0, try skipDamage(to: position + 1...last) { continue }
            if index == 0 {
                // The end of this segment, or of its valid part found by the recovery.
                guard let next = segments.first(where: { $0 > segment ?? 0 }) else { return found }
                try open(next)
            }
        }
        return found
    }

    /// Bytes that are read at once.
    private static let window = 1 << 20

    /// Moves behind a damaged record that is longer than what is read at once, to the next valid one with a number in
    /// `sequences`. Returns false if the segment has none.
    private func skipDamage(to sequences: ClosedRange<UInt64>) throws(HistoryError) -> Bool {
        var start = offset + 1
        while true {
            let bytes = try read(at: start, count: Self.window)
            var index = 0
            while index + RecordFrame.headerByteCount <= bytes.count {
                defer { index += 1 }
                guard sequences.contains(RecordFrame.uncheckedSequence(of: bytes, at: index)) else { continue }
                let whole = try read(at: start + index)
                guard case .record = RecordFrame.piece(of: whole, at: 0, coverage: coverage) else { continue }
                offset = start + index
                return true
            }
            guard bytes.count == Self.window else { return false }
            start += index
        }
    }

    private func open(_ first: UInt64) throws(HistoryError) {
        rewind()
        let path = directory.path(ofSegment: first)
        descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .file("open", path) }
        segment = first
        // A segment without a complete header has no records.
        coverage = SpoolSegment.Header(try read(at: 0, count: SpoolSegment.headerByteCount))?.coverage ?? .wholeRecord
        offset = SpoolSegment.headerByteCount
    }

    /// The bytes from `offset` on: a megabyte, or the length of the record there.
    private func read(at offset: Int) throws(HistoryError) -> [UInt8] {
        let bytes = try read(at: offset, count: Self.window)
        guard case .incomplete(let needed) = RecordFrame.piece(of: bytes, at: 0, coverage: coverage),
            needed > Self.window
        else {
            return bytes
        }
        return try read(at: offset, count: needed)
    }

    private func read(at offset: Int, count: Int) throws(HistoryError) -> [UInt8] {
        var got = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            got = unsafe pread(descriptor, buffer.baseAddress, count, off_t(offset))
            initialized = max(0, got)
        }
        guard got >= 0 else { throw .file("read the spool in", directory.path) }
        return bytes
    }
}
