internal import Synchronization

/// A fixed stretch of memory or file that sealed chunks are appended to. Freed as a whole when nobody holds it.
final class Segment: Sendable {
    /// Counts up from 1.
    let number: UInt32
    let mapping: Mapping
    let path: String?
    /// Whether a query has looked at it since ``releaseIfRead()``.
    private let isRead = Atomic(false)

    init(number: UInt32, mapping: Mapping, path: String?) {
        self.number = number
        self.mapping = mapping
        self.path = path
    }

    /// Records begin behind magic, version, store, number and checksum, a word each.
    static let headerSize = 64

    /// The header of the segment's file.
    static func identity(store: UInt64, number: UInt32) -> [UInt64] {
        let words: [UInt64] = [0x3130_5347_4553_5254, 2, store, UInt64(number)]
        return words + [unsafe words.withUnsafeBytes { unsafe ByteHash.checksum($0) }]
    }

    /// The record at `offset`, which the lane's directory names.
    func record(at offset: Int) -> ChunkRecord {
        unsafe ChunkRecord(base: UnsafeRawPointer(mapping.base + offset))
    }

    /// Notes that a query looks at the segment. Read before it is written: queries share the line.
    func noteRead() {
        if !isRead.load(ordering: .relaxed) { isRead.store(true, ordering: .relaxed) }
    }

    /// Takes the pages that queries have looked at out of the process's memory; they stay in the system's cache of
    /// files.
    func releaseIfRead() {
        guard path != nil, isRead.exchange(false, ordering: .relaxed) else { return }
        mapping.release()
    }

    /// The headers of the records in the first `used` bytes.
    func headers(through used: Int) -> [ChunkHeader] {
        var found: [ChunkHeader] = []
        var offset = Self.headerSize
        while offset < used {
            let header = unsafe record(at: offset).header
            found.append(header)
            offset += Int(header.length)
        }
        return found
    }
}

/// Where a sealed chunk lies, in one word; 0 is nowhere. The highest bit says that the record's body may be damaged,
/// since an earlier process wrote it and nobody has compared its checksum yet.
struct ChunkPlace: Equatable {
    let word: UInt64

    private static let unchecked: UInt64 = 1 << 63

    init(word: UInt64) {
        self.word = word
    }

    init(segment: UInt32, offset: Int, isChecked: Bool = true) {
        word = (isChecked ? 0 : Self.unchecked) | UInt64(segment) << 32 | UInt64(offset / ChunkHeader.alignment)
    }

    var segment: UInt32 { UInt32(truncatingIfNeeded: (word & ~Self.unchecked) >> 32) }
    var offset: Int { Int(word & 0xffff_ffff) * ChunkHeader.alignment }
    var isChecked: Bool { word & Self.unchecked == 0 }
    /// The same place once the checksum has been compared.
    var checked: ChunkPlace { ChunkPlace(word: word & ~Self.unchecked) }
}
