internal import Glibc
internal import MetricModel
internal import Synchronization

/// What happened to lanes and series, in order; replaying it gives the index again.
enum SeriesRecord {
    /// The log begins with so many series, all of them different, those with several locations one after the other.
    case listing(series: UInt32)
    /// What follows may be about any series.
    case listed
    case lane(UInt32, name: String)
    /// From here on `id` stands for this label; it may have stood for another one that no series has any more.
    case pair(id: UInt32, Label)
    /// A slot has a series, given by its pairs in the order of their names; `death` is given if it has ended already.
    case bind(lane: UInt32, slot: RingSlot, birth: UInt32, death: UInt32? = nil, pairs: [UInt32])
    case companion(SeriesIndex.Location, isTimes: Bool, column: RingSlot, columnBirth: UInt32)
    case end(lane: UInt32, slot: RingSlot, birth: UInt32, death: UInt32)
    case closed(lane: UInt32, head: UInt64)
}

/// The file that keeps ``SeriesRecord``s.
///
/// ```
/// file     magic (8) · version (4) · unused (4) · store (8) · checksum of these (8), then frames
/// frame    length of the records (4) · checksum of the records (4) · records
/// record   kind (1) · numbers as varints, texts with their length before them
/// ```
/// Records are gathered in memory and written before the first commit that needs them; what the kernel has taken survives the
/// end of the process. A torn end is cut off when the file is read again. Pairs are the index's own ids, so that a series takes
/// some 25 bytes however long its labels are.
final class SeriesLog: Sendable {
    static let mark: UInt64 = 0x3130_474f_4c42_5254
    static let version: UInt32 = 4
    /// What can be read; version 3 had no ``SeriesRecord/listing(series:)``.
    static let versions: ClosedRange<UInt32> = 3...4
    static let headerSize = 32
    /// Longer frames are only written for single records.
    static let frameSize = 1 << 18

    private struct State: ~Copyable {
        /// `nil` until the file is first written as a whole.
        var file: OpenFile?
        /// Keeps other processes out of the directory.
        let lock: OpenFile
        var buffer: [UInt8] = []
        /// Bytes in the file, and what they were when it was written as a whole.
        var size = 0
        var compactSize = 0
    }

    private let state: Mutex<State>
    /// Whether records wait to be written.
    private let isDirty = Atomic(false)

    /// Nothing can be flushed before ``compact(_:_:)`` has made the file.
    init(lock: consuming OpenFile) {
        state = Mutex(State(lock: lock))
    }

    /// Bytes in the file.
    var size: Int { state.withLock { $0.size } }

    /// Adds records to those that wait.
    func add(_ records: SeriesRecord...) {
        state.withLock { state in
            for record in records { record.write(to: &state.buffer) }
            isDirty.store(true, ordering: .relaxed)
        }
    }

    /// Writes what waits. A record that the calling thread added is in the file after this.
    func flush() throws(StoreError) {
        // Clean means written: whoever finds another thread writing its records waits for that thread.
        guard isDirty.load(ordering: .acquiring) else { return }
        try state.withLock { state throws(StoreError) in
            // A log that was written anew has taken them; a frame without records would end it for who reads it.
            if !state.buffer.isEmpty {
                let frame = Self.frame(state.buffer)
                // After a failure the next frame begins where this one did.
                unsafe try frame.withBytes { (bytes) throws(StoreError) in
                    try unsafe state.file?.write(bytes, at: state.size)
                }
                state.size += frame.count
                state.buffer.removeAll(keepingCapacity: state.buffer.capacity < 1 << 20)
            }
            isDirty.store(false, ordering: .releasing)
        }
    }

    /// Whether most of the file is about what is gone.
    var isWorthCompacting: Bool {
        state.withLock { $0.size > 2 * $0.compactSize + 1 << 20 }
    }

    /// Puts a file with what `catalog` holds in the place of the present one. Under the index lock, so that nothing is added.
    func compact(_ catalog: borrowing StoreCore.Catalog, _ directory: StoreDirectory) throws(StoreError) {
        var snapshot = SeriesSnapshot(Self.header(store: directory.store))
        snapshot.add(catalog)
        let bytes = snapshot.finished
        try state.withLock { state throws(StoreError) in
            state.file = try OpenFile.make(directory.seriesLog) { (file) throws(StoreError) in try file.append(bytes) }
            state.buffer = []
            state.size = bytes.count
            state.compactSize = bytes.count
        }
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

/// Everything an index holds, as the content of a series log.
private struct SeriesSnapshot {
    private var bytes: [UInt8]
    private var records: [UInt8] = []

    init(_ header: [UInt8]) {
        bytes = header
    }

    /// Adds lanes, pairs and series. Records about different series may come in any order; the locations of one series come
    /// oldest first.
    mutating func add(_ catalog: borrowing StoreCore.Catalog) {
        add(.listing(series: UInt32(catalog.index.count)))
        for lane in catalog.lanes.values { add(.lane(lane.id.rawValue, name: lane.name)) }
        var isKnown = [Bool](repeating: false, count: Int(catalog.index.pairs.idBound))
        var pairs: [UInt32] = []
        var locations: [SeriesIndex.Location] = []
        for series in 0..<catalog.index.idBound where catalog.index.contains(series) {
            pairs.removeAll(keepingCapacity: true)
            for pair in catalog.index.pairs(of: series) {
                pairs.append(pair)
                if isKnown[Int(pair)] { continue }
                isKnown[Int(pair)] = true
                let label = Label(catalog.index.pairs.nameText(pair), catalog.index.pairs.valueText(pair))
                add(.pair(id: pair, label))
            }
            locations.removeAll(keepingCapacity: true)
            catalog.index.forEachLocation(of: series) { locations.append($0) }
            for location in locations.reversed() { add(location, catalog.index.companions(of: location), pairs) }
        }
        add(.listed)
        for lane in catalog.lanes.values where lane.active == nil {
            add(.closed(lane: lane.id.rawValue, head: UInt64(lane.finalHead)))
        }
    }

    private mutating func add(
        _ location: SeriesIndex.Location, _ companions: SeriesIndex.Companions, _ pairs: [UInt32]
    ) {
        let death = location.death == SeriesIndex.Location.alive ? nil : location.death
        add(.bind(lane: location.lane, slot: location.slot, birth: location.birth, death: death, pairs: pairs))
        if let times = companions.times {
            add(.companion(location, isTimes: true, column: times.slot, columnBirth: times.birth))
        }
        if let histograms = companions.histograms {
            add(.companion(location, isTimes: false, column: histograms.slot, columnBirth: histograms.birth))
        }
    }

    private mutating func add(_ record: SeriesRecord) {
        record.write(to: &records)
        if records.count >= SeriesLog.frameSize { endFrame() }
    }

    private mutating func endFrame() {
        bytes += SeriesLog.frame(records)
        records.removeAll(keepingCapacity: true)
    }

    /// The whole content.
    var finished: [UInt8] {
        mutating get {
            if !records.isEmpty { endFrame() }
            return bytes
        }
    }
}
