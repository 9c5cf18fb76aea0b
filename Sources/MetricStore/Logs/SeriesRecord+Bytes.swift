internal import MetricModel

extension SeriesRecord {
    fileprivate enum Kind {
        static let lane: UInt8 = 1
        static let pair: UInt8 = 2
        static let bind: UInt8 = 3
        static let times: UInt8 = 4
        static let histograms: UInt8 = 5
        static let end: UInt8 = 6
        static let closed: UInt8 = 7
        static let listing: UInt8 = 8
        static let listed: UInt8 = 9
        static let bindNew: UInt8 = 10
        static let revision: UInt8 = 11
        static let lostRevisions: UInt8 = 12
    }

    /// Appends the record to `bytes`.
    func write(to bytes: inout [UInt8]) {
        switch self {
        case .listing(let series):
            bytes.append(Kind.listing)
            bytes.append(varint: UInt64(series))
        case .listed: bytes.append(Kind.listed)
        case .lane(let id, let name):
            bytes.append(Kind.lane)
            bytes.append(varint: UInt64(id))
            bytes.append(text: name)
        case .pair(let id, let label):
            bytes.append(Kind.pair)
            bytes.append(varint: UInt64(id))
            bytes.append(text: label.name)
            bytes.append(text: label.value)
        case .bind(let lane, let slot, let birth, let death, let isNew, let pairs):
            bytes.append(isNew ? Kind.bindNew : Kind.bind)
            bytes.append(lane: lane, slot, birth: birth, death: death)
            bytes.append(varint: UInt64(pairs.count))
            for pair in pairs { bytes.append(varint: UInt64(pair)) }
        case .companion(let location, let isTimes, let column, let columnBirth):
            bytes.append(isTimes ? Kind.times : Kind.histograms)
            let death = location.death == SeriesIndex.Location.alive ? nil : location.death
            bytes.append(lane: location.lane, location.slot, birth: location.birth, death: death)
            bytes.append(varint: UInt64(column.rawValue))
            bytes.append(varint: UInt64(columnBirth))
        case .end(let lane, let slot, let birth, let death):
            bytes.append(Kind.end)
            bytes.append(lane: lane, slot, birth: birth, death: death)
        case .closed(let lane, let head):
            bytes.append(Kind.closed)
            bytes.append(varint: UInt64(lane))
            bytes.append(varint: head)
        case .revision(let number):
            bytes.append(Kind.revision)
            bytes.append(varint: UInt64(number))
        case .lostRevisions(let range):
            bytes.append(Kind.lostRevisions)
            bytes.append(varint: UInt64(range.lowerBound))
            bytes.append(varint: UInt64(range.upperBound))
        }
    }
}

extension [UInt8] {
    mutating func append(fixed number: some FixedWidthInteger) {
        unsafe Swift.withUnsafeBytes(of: number.littleEndian) { unsafe append(contentsOf: $0) }
    }

    mutating func append(varint number: UInt64) {
        var rest = number
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func append(text: String) {
        append(varint: UInt64(text.utf8.count))
        append(contentsOf: text.utf8)
    }

    /// A location. The last number is 0 while it is alive.
    fileprivate mutating func append(lane: UInt32, _ slot: RingSlot, birth: UInt32, death: UInt32?) {
        append(varint: UInt64(lane))
        append(varint: UInt64(slot.rawValue))
        append(varint: UInt64(birth))
        append(varint: death.map { UInt64($0) + 1 } ?? 0)
    }

    var checksum: UInt64 { unsafe withUnsafeBytes { unsafe ByteHash.checksum($0) } }

    /// Calls `body` with the bytes.
    func withBytes(_ body: (UnsafeRawBufferPointer) throws(StoreError) -> Void) throws(StoreError) {
        let result: Result<Void, StoreError> = unsafe withUnsafeBytes { bytes in
            do throws(StoreError) {
                try unsafe body(bytes)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }
}

/// Reads the records of a frame with a valid checksum.
@unsafe struct SeriesRecordReader {
    private let source: UnsafeRawBufferPointer
    private var offset = 0
    /// The pairs of the last bind record.
    private(set) var pairs: [UInt32] = []

    init(_ source: UnsafeRawBufferPointer) {
        unsafe self.source = unsafe source
    }

    /// A record without texts and lists, which are not always needed.
    @unsafe enum Item {
        case listing(series: UInt32)
        case listed
        case lane(UInt32, name: String)
        /// The texts of label name and value are at these addresses.
        case pair(id: UInt32, name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)
        /// The pairs are in the reader.
        case bind(SeriesIndex.Location, isNew: Bool)
        case companion(SeriesIndex.Location, isTimes: Bool, column: RingSlot, columnBirth: UInt32)
        case end(SeriesIndex.Location)
        case closed(lane: UInt32, head: UInt64)
        case revision(UInt32)
        case lostRevisions(ClosedRange<UInt32>)
    }

    var isAtEnd: Bool { unsafe offset == source.count }

    /// The next record; `nil` at the end or if it is malformed.
    mutating func next() -> Item? {
        guard unsafe offset < source.count else { return nil }
        let kind = unsafe source[offset]
        unsafe offset += 1
        switch kind {
        case SeriesRecord.Kind.listing: return unsafe number().map { unsafe .listing(series: $0) }
        case SeriesRecord.Kind.listed: return unsafe .listed
        case SeriesRecord.Kind.lane:
            guard let id = unsafe number(), let name = unsafe text() else { return nil }
            return unsafe .lane(id, name: String(decoding: name, as: UTF8.self))
        case SeriesRecord.Kind.pair:
            guard let id = unsafe number(), let name = unsafe text(), let value = unsafe text() else { return nil }
            return unsafe .pair(id: id, name: name, value: value)
        case SeriesRecord.Kind.bind, SeriesRecord.Kind.bindNew:
            guard let location = unsafe location(), let count = unsafe number(), count <= SeriesIndex.mostLabels
            else { return nil }
            unsafe pairs.removeAll(keepingCapacity: true)
            for _ in 0..<count {
                guard let pair = unsafe number() else { return nil }
                unsafe pairs.append(pair)
            }
            return unsafe .bind(location, isNew: kind == SeriesRecord.Kind.bindNew)
        case SeriesRecord.Kind.times, SeriesRecord.Kind.histograms:
            guard let location = unsafe location(), let column = unsafe slot(), let birth = unsafe number()
            else { return nil }
            return unsafe .companion(
                location, isTimes: kind == SeriesRecord.Kind.times, column: column, columnBirth: birth)
        case SeriesRecord.Kind.end: return unsafe location().map { unsafe .end($0) }
        case SeriesRecord.Kind.closed:
            guard let lane = unsafe number(), let head = unsafe varint() else { return nil }
            return unsafe .closed(lane: lane, head: head)
        case SeriesRecord.Kind.revision: return unsafe number().map { unsafe .revision($0) }
        case SeriesRecord.Kind.lostRevisions:
            guard let first = unsafe number(), let last = unsafe number(), first <= last else { return nil }
            return unsafe .lostRevisions(first...last)
        default: return nil
        }
    }

    private mutating func location() -> SeriesIndex.Location? {
        guard let lane = unsafe number(), let slot = unsafe slot(), let birth = unsafe number(),
            let death = unsafe varint(), death <= UInt64(UInt32.max)
        else { return nil }
        return SeriesIndex.Location(
            lane: lane, slot: slot, birth: birth,
            death: death == 0 ? SeriesIndex.Location.alive : UInt32(death - 1))
    }

    /// A valid slot: no lane has more slots than the store may have series.
    private mutating func slot() -> RingSlot? {
        guard let raw = unsafe number(), raw >> 8 < 1 << 18 else { return nil }
        let slot = RingSlot(raw)
        return slot.column < ActiveChunk.width(ofBlock: slot.block) ? slot : nil
    }

    private mutating func number() -> UInt32? {
        guard let number = unsafe varint() else { return nil }
        return UInt32(exactly: number)
    }

    @inline(__always)
    mutating func varint() -> UInt64? {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 64, unsafe offset < source.count {
            let byte = unsafe source[offset]
            unsafe offset += 1
            result |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return result }
            shift += 7
        }
        return nil
    }

    /// Eight bytes.
    mutating func word() -> UInt64? {
        guard unsafe source.count - offset >= 8 else { return nil }
        defer { unsafe offset += 8 }
        return unsafe UInt64(littleEndian: source.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    mutating func text() -> UnsafeRawBufferPointer? {
        guard let count = unsafe varint(), unsafe count <= UInt64(source.count - offset) else { return nil }
        defer { unsafe offset += Int(count) }
        return unsafe UnsafeRawBufferPointer(rebasing: source[offset..<offset + Int(count)])
    }
}
