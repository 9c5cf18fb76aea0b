internal import Glibc
internal import MetricModel
internal import Runtime
internal import Synchronization

/// A change to lanes or series; replaying all records in order rebuilds the index.
enum SeriesRecord {
    /// The log begins with so many series, all of them different, those with several locations one after the other.
    case listing(series: UInt32)
    /// The following records may be about any series.
    case listed
    case lane(UInt32, name: String)
    /// From here on `id` means this label; before, it may have meant another one that no series has any more.
    case pair(id: UInt32, Label)
    /// A slot has a series, given by its pairs in the order of their names; `death` is given if it has ended already.
    /// One that is new was not in the index before.
    case bind(lane: UInt32, slot: RingSlot, birth: UInt32, death: UInt32? = nil, isNew: Bool, pairs: [UInt32])
    case companion(SeriesIndex.Location, isTimes: Bool, column: RingSlot, columnBirth: UInt32)
    case end(lane: UInt32, slot: RingSlot, birth: UInt32, death: UInt32)
    case closed(lane: UInt32, head: UInt64)
    /// The records up to here make this revision (``LogRevisions``).
    case revision(UInt32)
    case lostRevisions(ClosedRange<UInt32>)
}

/// The file that keeps ``SeriesRecord``s.
///
/// ```
/// file     magic (8) · version (4) · unused (4) · store (8) · checksum of these (8), then frames
/// frame    length of the records (4) · checksum of the records (4) · records, one of which gives the revision
/// record   kind (1) · numbers as varints, texts with their length before them
/// ```
/// Records are gathered in memory and written before the first commit that needs them; what the kernel has taken
/// survives the end of the process. A torn end is cut off when the file is read again. Pairs are the index's own ids,
/// so that a series takes some 15 bytes however long its labels are.
final class SeriesLog: Sendable {
    static let mark: UInt64 = 0x3130_474f_4c42_5254
    static let version: UInt32 = 5
    /// The versions that can be read; version 3 had no ``SeriesRecord/listing(series:)``, version 4 no
    /// ``SeriesRecord/revision(_:)``.
    static let versions: ClosedRange<UInt32> = 3...5
    static let headerSize = 32
    /// Longer frames are only written for single records.
    static let frameSize = 1 << 18

    /// The file as it was written as a whole.
    private final class Start: Sendable {
        let file: Mutex<OpenFile?>
        let size: Int

        init(_ file: consuming OpenFile, size: Int) {
            self.file = Mutex(file)
            self.size = size
        }
    }

    private struct State: ~Copyable {
        /// `nil` until the file is first written as a whole.
        var file: OpenFile?
        /// The writing of it, where that goes on beside what the store does.
        var pending: Overlapped<Result<Start, StoreError>>?
        /// Keeps other processes out of the directory.
        let lock: OpenFile
        var buffer: [UInt8] = []
        /// Bytes in the file, and what they were when it was written as a whole.
        var size = 0
        var compactSize = 0
        /// Of what is in the file.
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
    /// Whether records wait to be written.
    private let isDirty = Atomic(false)
    private let current = Atomic<UInt32>(0)

    /// Nothing can be flushed before ``compact(_:_:)`` or ``begin(_:_:_:)`` has made the file.
    init(lock: consuming OpenFile) {
        state = Mutex(State(lock: lock))
    }

    deinit {
        // The lock on the directory goes only after the last write to it.
        state.withLock { state in
            do throws(StoreError) { try state.settle() } catch {
                // The file that was there before stays.
            }
        }
    }

    /// Bytes in the file.
    var size: Int {
        state.withLock { state in
            do throws(StoreError) { try state.settle() } catch { return 0 }
            return state.size
        }
    }

    /// The revision in the file. After ``flush()`` it has what the calling thread had added.
    var revision: UInt32 { current.load(ordering: .relaxed) }

    /// Adds records to those that wait.
    func add(_ records: SeriesRecord...) {
        state.withLock { state in
            for record in records { record.write(to: &state.buffer) }
            isDirty.store(true, ordering: .relaxed)
        }
    }

    /// Adds records that are bytes already.
    func add(bytes records: [UInt8]) {
        guard !records.isEmpty else { return }
        state.withLock { state in
            state.buffer += records
            isDirty.store(true, ordering: .relaxed)
        }
    }

    /// Writes what waits. A record that the calling thread added is in the file after this.
    func flush() throws(StoreError) {
        // Clean means written: a thread whose records are being written by another one waits for it.
        guard isDirty.load(ordering: .acquiring) else { return }
        try state.withLock { state throws(StoreError) in
            try state.settle()
            // Until `maintain` has written it, no record has a place.
            guard state.file != nil else { throw StoreError(.system, "the series log could not be written") }
            // A rewritten log already contains them; a frame without records would look like its end.
            if !state.buffer.isEmpty {
                var revisions = state.revisions
                revisions.advance()
                var records = state.buffer
                SeriesRecord.revision(revisions.current).write(to: &records)
                let frame = Self.frame(records)
                // After a failure the next frame begins where this one did.
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

    /// Whether most of the file is about what is gone, or there is none.
    var isWorthCompacting: Bool {
        state.withLock { state in
            do throws(StoreError) { try state.settle() } catch { return true }
            return state.file == nil || state.size > 2 * state.compactSize + 1 << 20
        }
    }

    /// Puts a file with what `catalog` holds in the place of the present one. Under the index lock, so that nothing is
    /// added.
    func compact(_ catalog: borrowing StoreCore.Catalog, _ directory: StoreDirectory) throws(StoreError) {
        let snapshot = SeriesSnapshot(catalog)
        try state.withLock { state throws(StoreError) in
            do throws(StoreError) { try state.settle() } catch {
                // The records that could not be written then are written now.
            }
            // It holds records that wait, which the present file has not.
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

    /// The same, by a thread of its own, for a log that has no file yet. Records may be added at once; whoever wants
    /// them written waits.
    ///
    /// - Parameter revisions: The current one is that of the file that is there, or of none.
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

    /// Waits for what ``begin(_:_:_:)`` writes.
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

    /// `records` with length and checksum.
    static func frame(_ records: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(records.count + 8)
        bytes.append(fixed: UInt32(records.count))
        bytes.append(fixed: UInt32(truncatingIfNeeded: records.checksum))
        return bytes + records
    }

    /// The records of the frame at `offset`, if it is whole.
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
