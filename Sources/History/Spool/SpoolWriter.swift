internal import Durable
internal import Glibc
internal import Runtime

/// Writes records into segments. Belongs to the spool's thread.
///
/// After a failed write the same bytes are written again at the same offset. After a failed sync the kernel may have
/// dropped pages it had accepted, so the same records are written again to a new segment.
@safe final class SpoolWriter {
    /// The state of the spool when it was opened.
    struct Recovery: Equatable {
        /// The sequence of the next record.
        var next: UInt64
        /// First sequences of the segments, ascending.
        var segments: [UInt64]
        /// Bytes in all segments.
        var bytes: Int
        /// Records that are damaged on the disk.
        var lost: [ClosedRange<UInt64>]
        /// Bytes cut off the end: a record that was being written at a crash.
        var cut: Int
    }

    private let directory: SpoolDirectory
    private let device: SpoolDevice
    private let segmentBytes: Int
    private var descriptor: Int32 = -1
    private var offset = 0
    private var mustRoll = false

    init(directory: SpoolDirectory, segmentBytes: Int, device: SpoolDevice) {
        self.directory = directory
        self.segmentBytes = segmentBytes
        self.device = device
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Reads the segments, cuts off a torn end, and prepares to append.
    func recover() throws(HistoryError) -> Recovery {
        var recovery = Recovery(next: 1, segments: try directory.segments(), bytes: 0, lost: [], cut: 0)
        for (index, first) in recovery.segments.enumerated() {
            let path = directory.path(ofSegment: first)
            let bytes: [UInt8]
            do throws(FileText.ReadError) {
                bytes = try FileText.bytes(path, limit: .max)
            } catch {
                throw HistoryError(.file, "\(error)")
            }
            // A segment may begin before its predecessor ends: see above on failed syncs.
            if first > recovery.next, index > 0 { recovery.lost.append(recovery.next...first - 1) }
            recovery.next = max(recovery.next, first)
            var end = 0
            let header = SpoolSegment.Header(bytes)
            if let header, header.first == first {
                end = scan(bytes, header.coverage, &recovery)
            }
            recovery.bytes += end
            if index == recovery.segments.count - 1 {
                recovery.cut = bytes.count - end
                // New records must not follow those of the older layout in one segment.
                mustRoll = end > SpoolSegment.headerByteCount && header?.coverage != .wholeRecord
                try resume(path, first: first, end: end, found: bytes.count)
            }
        }
        return recovery
    }

    /// Reads the records of a segment, skips damaged ones, and returns the end of the last valid one.
    private func scan(_ bytes: [UInt8], _ coverage: RecordFrame.Coverage, _ recovery: inout Recovery) -> Int {
        var end = SpoolSegment.headerByteCount
        var position = end
        while true {
            if case .record(let record, let next) = RecordFrame.piece(
                of: bytes, at: position, coverage: coverage)
            {
                if record.sequence > recovery.next { recovery.lost.append(recovery.next...record.sequence - 1) }
                recovery.next = max(recovery.next, record.sequence + 1)
                (position, end) = (next, next)
                continue
            }
            // Numbers far beyond the expected one are ignored: they would be garbage.
            let plausible = recovery.next...recovery.next &+ 1 << 32
            let place = SpoolSegment.next(in: bytes, after: position, sequences: plausible, coverage)
            guard let next = place else { return end }
            position = next
        }
    }

    private func resume(_ path: String, first: UInt64, end: Int, found: Int) throws(HistoryError) {
        descriptor = unsafe open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw .file("open", path) }
        if end < found, ftruncate(descriptor, off_t(end)) != 0 { throw .file("cut the torn end off", path) }
        offset = end
        guard end <= SpoolSegment.headerByteCount else { return }
        // A segment created during a power failure has no header yet, or one of the older layout.
        offset = 0
        try put(SpoolSegment.header(first: first))
    }

    /// Writes `bytes`, whole records from `first` on, and waits until they are on disk.
    ///
    /// - Returns: the first sequence of the new segment, if one was begun.
    func write(_ bytes: [UInt8], first: UInt64) throws(HistoryError) -> UInt64? {
        let begun = descriptor < 0 || mustRoll || offset >= segmentBytes ? first : nil
        if let begun { try begin(begun) }
        let start = offset
        do {
            try put(bytes)
        } catch {
            offset = start
            throw error
        }
        guard device.sync(descriptor) == 0 else {
            let error = HistoryError.file("sync", directory.path)
            mustRoll = true
            throw error
        }
        return begun
    }

    private func begin(_ first: UInt64) throws(HistoryError) {
        let path = directory.path(ofSegment: first)
        let fresh = unsafe open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard fresh >= 0 else { throw .file("create the segment", path) }
        let old = (descriptor, offset)
        (descriptor, offset) = (fresh, 0)
        do {
            try put(SpoolSegment.header(first: first))
            try HistoryFile.syncDirectory(of: path)
        } catch {
            close(fresh)
            (descriptor, offset) = old
            throw error
        }
        if old.0 >= 0 { close(old.0) }
        mustRoll = false
    }

    private func put(_ bytes: [UInt8]) throws(HistoryError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe device.write(descriptor, $0, offset) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw .file("write to the spool", directory.path) }
            offset += count
            rest = rest.dropFirst(count)
        }
    }
}
