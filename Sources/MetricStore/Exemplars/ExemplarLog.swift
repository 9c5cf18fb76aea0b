internal import Synchronization

/// The file that keeps exemplars across restarts.
///
/// ```
/// file     magic (8) · version (4) · unused (4) · store (8) · checksum of these (8), then frames as of ``SeriesLog``
/// frame    ``ExemplarRecord``s in order of arrival
/// ```
/// It is written by `maintain`, not with each scrape. The exemplars of the last second may be lost, but targets repeat
/// their newest exemplars. When it reaches twice the size of the live exemplars it is rewritten, so that the capacity
/// of the ring bounds it too.
final class ExemplarLog: Sendable {
    static let mark: UInt64 = 0x3130_474f_4c58_4554
    static let version: UInt32 = 1

    private struct State: ~Copyable {
        /// `nil` until this process has written the whole file.
        var file: OpenFile?
        var size = 0
        /// Size of the file in bytes when the whole file was last written.
        var compactSize = 0
        /// The number of exemplars that this process received and has written.
        var written: UInt64 = 0
    }

    private let directory: StoreDirectory
    private let state = Mutex(State())

    init(_ directory: StoreDirectory) {
        self.directory = directory
    }

    private static func header(_ store: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        for word in [mark, UInt64(version), store] { bytes.append(fixed: word) }
        bytes.append(fixed: bytes.checksum)
        return bytes
    }

    // MARK: Writing

    /// Writes the exemplars that `storage` received since the last call.
    func write(_ storage: ExemplarStorage) throws(StoreError) {
        try state.withLock { state throws(StoreError) in
            let isFresh = state.file == nil || state.size > 2 * state.compactSize + 1 << 20
            guard let news = storage.news(since: state.written, withAll: isFresh) else { return }
            let frames = Self.frames(news.records)
            if isFresh {
                var size = SeriesLog.headerSize
                state.file = try OpenFile.make(directory.exemplarLog) { (file) throws(StoreError) in
                    try file.append(Self.header(directory.store))
                    for frame in frames {
                        try file.append(frame)
                        size += frame.count
                    }
                }
                (state.size, state.compactSize) = (size, size)
            } else {
                for frame in frames {
                    // After a failure the next frame starts at the same offset, and all exemplars are written again.
                    // Duplicates are detected when the file is read.
                    unsafe try frame.withBytes { (bytes) throws(StoreError) in
                        try unsafe state.file?.write(bytes, at: state.size)
                    }
                    state.size += frame.count
                }
            }
            state.written = news.taken
        }
    }

    private static func frames(_ records: [ExemplarRecord]) -> [[UInt8]] {
        var frames: [[UInt8]] = []
        var bytes: [UInt8] = []
        var previous: ExemplarRecord?
        for record in records {
            record.write(to: &bytes, after: bytes.isEmpty ? nil : previous?.series)
            previous = record
            if bytes.count >= SeriesLog.frameSize {
                frames.append(SeriesLog.frame(bytes))
                bytes = []
            }
        }
        if !bytes.isEmpty { frames.append(SeriesLog.frame(bytes)) }
        return frames
    }

    // MARK: Reading

    /// The exemplars of an earlier process, as many as `capacity` allows, and notes about damage in the file.
    static func read(_ directory: StoreDirectory, capacity: Int) -> (ring: ExemplarRing, notes: [String]) {
        var ring = ExemplarRing(capacity: capacity)
        let path = directory.exemplarLog
        do throws(StoreError) {
            let file = try OpenFile(path, create: false)
            let size = file.size
            let header = header(directory.store)
            guard size >= header.count else { throw StoreError(.system, "\(path) is truncated") }
            let mapping = try Mapping(file, offset: 0, count: size)
            let bytes = unsafe mapping.bytes
            guard unsafe bytes.prefix(header.count).elementsEqual(header) else {
                throw StoreError(.system, "\(path) is not an exemplar log of this store and version")
            }
            let end = unsafe read(bytes, from: header.count, &ring)
            if end < size { return (ring, ["\(path): the last \(size - end) bytes are torn or damaged and dropped"]) }
            return (ring, [])
        } catch {
            return (ring, ["\(error.message): \(StoreDirectory.setAside(path))"])
        }
    }

    /// Returns the offset after the last valid frame.
    private static func read(_ bytes: UnsafeRawBufferPointer, from start: Int, _ ring: inout ExemplarRing) -> Int {
        var offset = start
        while offset < bytes.count, let frame = unsafe SeriesLog.frame(bytes, at: offset) {
            let found = unsafe ExemplarRecord.read(frame)
            for record in found.records { ring.restore(record) }
            guard found.isWhole else { break }
            offset += 8 + frame.count
        }
        return offset
    }
}
