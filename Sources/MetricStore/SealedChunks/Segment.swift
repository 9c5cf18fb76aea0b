internal import Synchronization

/// A fixed range of memory or of a file to which sealed chunks are appended. Freed as a whole when it has no users.
final class Segment: Sendable {
    /// Counts up from 1.
    let number: UInt32
    let mapping: Mapping
    let path: String?
    /// Whether a query has read it since ``releaseIfRead()``.
    private let isRead = Atomic(false)

    init(number: UInt32, mapping: Mapping, path: String?) {
        self.number = number
        self.mapping = mapping
        self.path = path
    }

    /// Records start after magic, version, store, number and checksum, one word each.
    static let headerSize = 64

    /// The header of the segment's file.
    static func identity(store: UInt64, number: UInt32) -> [UInt64] {
        let words: [UInt64] = [0x3130_5347_4553_5254, 2, store, UInt64(number)]
        return words + [unsafe words.withUnsafeBytes { unsafe ByteHash.checksum($0) }]
    }

    /// The record at `offset`, as named by the lane's directory.
    func record(at offset: Int) -> ChunkRecord {
        unsafe ChunkRecord(base: UnsafeRawPointer(mapping.base + offset))
    }

    /// Records that a query reads the segment. It is read before it is written, because queries share the cache line.
    func noteRead() {
        if !isRead.load(ordering: .relaxed) { isRead.store(true, ordering: .relaxed) }
    }

    /// Releases the pages that queries have read from the process's memory. They stay in the page cache.
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

/// The place of a sealed chunk, in one word; 0 is no place. The highest bit means that the record's body may be
/// damaged: an earlier process wrote it, and its checksum was not verified yet.
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
    /// The same place after the checksum was verified.
    var checked: ChunkPlace { ChunkPlace(word: word & ~Self.unchecked) }
}
