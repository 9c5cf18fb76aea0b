internal import Glibc
internal import MetricModel
internal import Synchronization

/// What happened to lanes and series, in order; replaying it gives the index again.
enum SeriesRecord: Equatable {
    case lane(UInt32, name: String)
    case bind(lane: UInt32, slot: RingSlot, birth: UInt32, Labels)
    case companion(lane: UInt32, slot: RingSlot, birth: UInt32, isTimes: Bool, column: RingSlot, columnBirth: UInt32)
    case end(lane: UInt32, slot: RingSlot, birth: UInt32, death: UInt32)
    case closed(lane: UInt32, head: UInt64)
}

/// The file that keeps ``SeriesRecord``s.
///
/// ```
/// file     magic (8) · version (4) · unused (4) · store (8) · checksum of these (8), then records
/// record   length of the payload (4) · checksum of the payload (4) · payload
/// ```
/// Records are gathered in memory and written before the first commit that needs them; what the kernel has taken survives the
/// end of the process. A torn end is cut off when the file is read again.
final class SeriesLog: Sendable {
    static let mark: UInt64 = 0x3130_474f_4c42_5254
    static let version: UInt32 = 1
    static let headerSize = 32

    private struct State: ~Copyable {
        let file: OpenFile
        /// Keeps other processes out of the directory.
        let lock: OpenFile
        var buffer: [UInt8] = []
    }

    private let state: Mutex<State>
    /// Whether records wait to be written.
    private let isDirty = Atomic(false)

    /// Takes over `file`, positioned at its end.
    init(_ file: consuming OpenFile, lock: consuming OpenFile) {
        state = Mutex(State(file: file, lock: lock))
    }

    /// Adds a record to those that wait.
    func add(_ record: SeriesRecord) {
        state.withLock { $0.buffer += record.framed }
        isDirty.store(true, ordering: .relaxed)
    }

    /// Writes what waits. A record that the calling thread added is in the file after this.
    func flush() throws(StoreError) {
        guard isDirty.load(ordering: .relaxed) else { return }
        try state.withLock { state throws(StoreError) in
            isDirty.store(false, ordering: .relaxed)
            do throws(StoreError) {
                try state.file.append(state.buffer)
            } catch {
                isDirty.store(true, ordering: .relaxed)
                throw error
            }
            state.buffer.removeAll(keepingCapacity: state.buffer.capacity < 1 << 20)
        }
    }

    static func header(store: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(number: mark)
        bytes.append(number: version)
        bytes.append(number: UInt32(0))
        bytes.append(number: store)
        bytes.append(number: bytes.checksum)
        return bytes
    }
}

extension SeriesRecord {
    /// With length and checksum.
    var framed: [UInt8] {
        let payload = payload
        var bytes: [UInt8] = []
        bytes.reserveCapacity(payload.count + 8)
        bytes.append(number: UInt32(payload.count))
        bytes.append(number: UInt32(truncatingIfNeeded: payload.checksum))
        return bytes + payload
    }

    private var payload: [UInt8] {
        var bytes: [UInt8] = []
        switch self {
        case .lane(let id, let name):
            bytes = [1]
            bytes.append(number: id)
            bytes.append(text: name)
        case .bind(let lane, let slot, let birth, let labels):
            bytes = [2]
            for number in [lane, slot.rawValue, birth, UInt32(labels.count)] { bytes.append(number: number) }
            for pair in labels.pairs {
                bytes.append(text: pair.name)
                bytes.append(text: pair.value)
            }
        case .companion(let lane, let slot, let birth, let isTimes, let column, let columnBirth):
            bytes = [isTimes ? 3 : 4]
            for number in [lane, slot.rawValue, birth, column.rawValue, columnBirth] { bytes.append(number: number) }
        case .end(let lane, let slot, let birth, let death):
            bytes = [5]
            for number in [lane, slot.rawValue, birth, death] { bytes.append(number: number) }
        case .closed(let lane, let head):
            bytes = [6]
            bytes.append(number: lane)
            bytes.append(number: head)
        }
        return bytes
    }

    /// Reads one record at `offset` and moves behind it; `nil` where there is no whole, intact record.
    static func read(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) -> SeriesRecord? {
        var reader = unsafe ByteReader(bytes, offset)
        guard let length: UInt32 = unsafe reader.number(), let checksum: UInt32 = unsafe reader.number(),
            let payload = unsafe reader.bytes(Int(length)),
            unsafe UInt32(truncatingIfNeeded: ByteHash.checksum(payload)) == checksum
        else { return nil }
        var body = unsafe ByteReader(payload, 0)
        guard let record = unsafe parse(&body) else { return nil }
        offset += 8 + Int(length)
        return record
    }

    private static func parse(_ reader: inout ByteReader) -> SeriesRecord? {
        guard let kind: UInt8 = unsafe reader.number(), let lane: UInt32 = unsafe reader.number() else { return nil }
        if kind == 1 { return unsafe reader.text().map { .lane(lane, name: $0) } }
        if kind == 6 {
            guard let head: UInt64 = unsafe reader.number() else { return nil }
            return .closed(lane: lane, head: head)
        }
        guard let slot: UInt32 = unsafe reader.number(), let birth: UInt32 = unsafe reader.number(),
            let next: UInt32 = unsafe reader.number()
        else { return nil }
        switch kind {
        case 2:
            guard next <= SeriesIndex.mostLabels else { return nil }
            var pairs: [Label] = []
            for _ in 0..<next {
                guard let name = unsafe reader.text(), let value = unsafe reader.text() else { return nil }
                pairs.append(Label(name, value))
            }
            return .bind(lane: lane, slot: RingSlot(slot), birth: birth, Labels(sorted: pairs))
        case 3, 4:
            guard let columnBirth: UInt32 = unsafe reader.number() else { return nil }
            return .companion(
                lane: lane, slot: RingSlot(slot), birth: birth, isTimes: kind == 3, column: RingSlot(next),
                columnBirth: columnBirth)
        case 5: return .end(lane: lane, slot: RingSlot(slot), birth: birth, death: next)
        default: return nil
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(number: some FixedWidthInteger) {
        unsafe Swift.withUnsafeBytes(of: number.littleEndian) { unsafe append(contentsOf: $0) }
    }

    fileprivate mutating func append(text: String) {
        append(number: UInt32(text.utf8.count))
        append(contentsOf: text.utf8)
    }

    fileprivate var checksum: UInt64 { unsafe withUnsafeBytes { unsafe ByteHash.checksum($0) } }
}

/// Takes numbers and texts off bytes that may be damaged.
@unsafe struct ByteReader {
    private let source: UnsafeRawBufferPointer
    private var offset: Int

    init(_ source: UnsafeRawBufferPointer, _ offset: Int) {
        unsafe self.source = unsafe source
        unsafe self.offset = offset
    }

    mutating func bytes(_ count: Int) -> UnsafeRawBufferPointer? {
        guard count >= 0, unsafe count <= source.count - offset else { return nil }
        defer { unsafe offset += count }
        return unsafe UnsafeRawBufferPointer(rebasing: source[offset..<offset + count])
    }

    mutating func number<Number: FixedWidthInteger & BitwiseCopyable>() -> Number? {
        unsafe bytes(MemoryLayout<Number>.size).map { unsafe Number(littleEndian: $0.loadUnaligned(as: Number.self)) }
    }

    mutating func text() -> String? {
        guard let count: UInt32 = unsafe number(), let bytes = unsafe bytes(Int(count)) else { return nil }
        return unsafe String(decoding: bytes, as: UTF8.self)
    }
}
