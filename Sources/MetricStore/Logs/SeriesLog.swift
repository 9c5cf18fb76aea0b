internal import Glibc
internal import MetricModel
internal import Runtime
internal import Synchronization

/// A change to lanes or series; replaying all records in order rebuilds the index.
enum SeriesRecord {
    /// The log begins with this number of distinct series. Locations of one series are adjacent.
    case listing(series: UInt32)
    /// The following records may be about any series.
    case listed
    case lane(UInt32, name: String)
    /// From here on `id` is this label. Before, it may have been another label that no series has any more.
    case pair(id: UInt32, Label)
    /// A slot has a series, given by its pairs, sorted by name. `death` is set if the series has ended. `isNew` means
    /// that the series was not in the index before.
    case bind(lane: UInt32, slot: RingSlot, birth: UInt32, death: UInt32? = nil, isNew: Bool, pairs: [UInt32])
    case companion(SeriesIndex.Location, isTimes: Bool, column: RingSlot, columnBirth: UInt32)
    case end(lane: UInt32, slot: RingSlot, birth: UInt32, death: UInt32)
    case closed(lane: UInt32, head: UInt64)
    /// The records up to here form this revision (``LogRevisions``).
    case revision(UInt32)
    case lostRevisions(ClosedRange<UInt32>)
}

/// The file with the ``SeriesRecord``s.
///
/// ```
/// file     magic (8) · version (4) · unused (4) · store (8) · checksum of these (8), then frames
/// frame    length of the records (4) · checksum of the records (4) · records, including one revision
/// record   kind (1) · numbers as varints, texts preceded by their length
/// ```
/// Records are collected in memory and written before the first commit that needs them; data in the kernel survive the
/// end of the process. When the file is read, an incomplete end is cut off. Pairs are the index's own ids: a series
/// takes about 15 bytes, however long its labels are.
final class SeriesLog: Sendable {
    static let mark: UInt64 = 0x3130_474f_4c42_5254
    static let version: UInt32 = 6
    /// The readable versions. Version 3 had no ``SeriesRecord/listing(series:)``, version 4 no
    /// ``SeriesRecord/revision(_:)``.
    static let versions: ClosedRange<UInt32> = 3...6
    static let headerSize = 32
    /// The maximum frame size; a frame with a single record may be longer.
    static let frameSize = 1 << 18

    /// The result of writing the whole file.
    private final class Start: Sendable {
        let file: Mutex<OpenFile?>
        let size: Int

        init(_ file: consuming OpenFile, size: Int) {
            self.file = Mutex(file)
            self.size = size
        }
    }

    private struct State: ~Copyable {
        /// `nil` until the whole file is written for the first time.
        var file: OpenFile?
        /// The write of the whole file, while it runs in the background.
        var pending: Overlapped<Result<Start, StoreError>>?
        /// Locks the directory against other processes.
        let lock: OpenFile
        var buffer: [UInt8] = []
        /// The size of the file, and its size when the whole file was last written, in bytes.
        var size = 0
        var compactSize = 0
        /// The revisions in the file.
        var revisions = LogRevisions()

        /// Takes the file from the thread that writes it; waits for it if necessary.
        mutating func settle() throws(StoreError) {
            guard let writing = pending.take() else { return }
            let start = try writing.value().get()
            file = start.file.withLock { $0.take() }
            size = start.size
            compactSize = start.size
        }
    }

    private let state: Mutex<State>
    /// Whether there are records to write.
    private let isDirty = Atomic(false)
    private let current = Atomic<UInt32>(0)

    /// Records can be flushed only after ``compact(_:_:)`` or ``begin(_:_:_:)`` has created the file.
    init(lock: consuming OpenFile) {
        state = Mutex(State(lock: lock))
    }

    deinit {
        // The lock on the directory must be held until the last write.
        state.withLock { state in
            do throws(StoreError) { try state.settle() } catch {
                // The previous file is kept.
            }
        }
    }

    /// The size of the file in bytes.
    var size: Int {
        state.withLock { state in
            do throws(StoreError) { try state.settle() } catch { return 0 }
            return state.size
        }
    }

    /// The revision in the file. After ``flush()`` it includes the records that the calling thread added.
    var revision: UInt32 { current.load(ordering: .relaxed) }

    /// Adds records to the buffer.
    func add(_ records: SeriesRecord...) {
        state.withLock { state in
            for record in records { record.write(to: &state.buffer) }
            isDirty.store(true, ordering: .relaxed)
        }
    }

    /// Adds records that are already encoded.
    func add(bytes records: [UInt8]) {
        guard !records.isEmpty else { return }
        state.withLock { state in
            state.buffer += records
            isDirty.store(true, ordering: .relaxed)
        }
    }

    /// Writes the buffered records. After it, the records that the calling thread added are in the file.
    func flush() throws(StoreError) {
        // Not dirty means written: a thread whose records another thread is writing waits for it.
        guard isDirty.load(ordering: .acquiring) else { return }
        try state.withLock { state throws(StoreError) in
            try state.settle()
            // There is no file until `maintain` has written it.
            guard state.file != nil else { throw StoreError(.system, "the series log could not be written") }
            // A rewritten log already contains them. A frame without records would look like the end of the log.
            if !state.buffer.isEmpty {
                var revisions = state.revisions
                revisions.advance()
                var records = state.buffer
                SeriesRecord.revision(revisions.current).write(to: &records)
                let frame = Self.frame(records)
                // After a failure the next frame starts at the same offset.
                unsafe try frame.withBytes { (bytes) throws(StoreError) in
                    try unsafe state.file?.write(bytes, at: state.size)
                }
                state.size += frame.count
                state.revisions = revisions
                current.store(revisions.current, ordering: .relaxed)
                state.buffer.removeAll(keepingCapacity: state.buffer.capacity < 1 << 20)
            }
            isDirty.store(false, ordering: .releasing)
        }
    }

    /// Whether most of the file is about removed series, or there is no file.
    var isWorthCompacting: Bool {
        state.withLock { state in
            do throws(StoreError) { try state.settle() } catch { return true }
            return state.file == nil || state.size > 2 * state.compactSize + 1 << 20
        }
    }

    /// Replaces the file with one that has the content of `catalog`. Called under the index lock, so that no record is
    /// added.
    func compact(_ catalog: borrowing StoreCore.Catalog, _ directory: StoreDirectory) throws(StoreError) {
        let snapshot = SeriesSnapshot(catalog)
        try state.withLock { state throws(StoreError) in
            do throws(StoreError) { try state.settle() } catch {
                // Includes records that could not be written before.
            }
            // The new file includes buffered records that the current one does not have.
            var revisions = state.revisions
            revisions.advance()
            let start = try Self.write(snapshot, revisions, directory)
            state.file = start.file.withLock { $0.take() }
            state.buffer = []
            state.size = start.size
            state.compactSize = start.size
            state.revisions = revisions
            current.store(revisions.current, ordering: .relaxed)
        }
    }

    /// The same in a thread of its own, for a log that has no file yet. Records may be added at once; a flush waits.
    ///
    /// - Parameter revisions: the current revision is that of the existing file, if any.
    func begin(_ catalog: borrowing StoreCore.Catalog, _ revisions: LogRevisions, _ directory: StoreDirectory) {
        let snapshot = SeriesSnapshot(catalog)
        state.withLock { state in
            state.revisions = revisions
            current.store(revisions.current, ordering: .relaxed)
            state.pending = Overlapped("store-log") {
                Result { () throws(StoreError) in try Self.write(snapshot, revisions, directory) }
            }
        }
    }

    /// Waits for the write started by ``begin(_:_:_:)``.
    func settle() throws(StoreError) {
        try state.withLock { state throws(StoreError) in try state.settle() }
    }

    private static func write(
        _ snapshot: SeriesSnapshot, _ revisions: LogRevisions, _ directory: StoreDirectory
    ) throws(StoreError) -> Start {
        var size = headerSize
        let file = try OpenFile.make(directory.seriesLog) { (file) throws(StoreError) in
            try file.append(header(store: directory.store))
            try snapshot.write(revisions) { (records) throws(StoreError) in
                let frame = frame(records)
                try file.append(frame)
                size += frame.count
            }
        }
        return Start(file, size: size)
    }

    static func header(store: UInt64, version: UInt32 = SeriesLog.version) -> [UInt8] {
        var bytes: [UInt8] = []
        for word in [mark, UInt64(version), store] { bytes.append(fixed: word) }
        bytes.append(fixed: bytes.checksum)
        return bytes
    }

    /// `records` with their length and checksum.
    static func frame(_ records: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(records.count + 8)
        bytes.append(fixed: UInt32(records.count))
        bytes.append(fixed: UInt32(truncatingIfNeeded: records.checksum))
        return bytes + records
    }

    /// The records of the frame at `offset`, if it is complete.
    static func frame(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> UnsafeRawBufferPointer? {
        guard bytes.count - offset >= 8 else { return nil }
        let count = unsafe Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
        let checksum = unsafe UInt32(
            littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self))
        guard count > 0, count <= bytes.count - offset - 8 else { return nil }
        let records = unsafe UnsafeRawBufferPointer(rebasing: bytes[offset + 8..<offset + 8 + count])
        return UInt32(truncatingIfNeeded: unsafe ByteHash.checksum(records)) == checksum ? unsafe records : nil
    }
}
