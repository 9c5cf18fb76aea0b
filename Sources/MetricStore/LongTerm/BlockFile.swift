internal import Glibc
internal import Runtime
internal import Synchronization

/// A stretch in a block file.
struct StretchPlace {
    let block: BlockFile
    let offset: Int
    let header: StretchHeader
}

/// A file of stretches: rows of many lanes in one range of time. Immutable; closed when no query uses it.
///
/// ```
/// identity     64 bytes: magic, version, store, number, checksum of these (8 bytes each), zeros
/// stretches    in the order of lanes and chunks
/// table        of each stretch: its offset (8 bytes) and its header
/// end          32 bytes: magic, offset of the table, number of stretches (8 each), CRC-32C of the table and of the
///              first 28 bytes of the end (4 each)
/// ```
/// If the table is damaged, the headers are found one after the other. The file is read with `pread`: an unreadable
/// page is an error of the query that reads it, and not a signal.
final class BlockFile: Sendable {
    static let headerSize = 64
    static let endSize = 32
    static let entrySize = 8 + StretchHeader.size
    private static let endMark: UInt64 = 0x3130_444e_454b_4c42  // "BLKEND01"

    /// Counts up from 1.
    let number: UInt32
    let path: String
    let byteCount: Int
    private let file: OpenFile
    /// In the order of lanes and chunks.
    let stretches: [(offset: Int, header: StretchHeader)]
    let sampleCount: UInt64
    /// The oldest and the newest sample, in milliseconds.
    let oldest: Int64
    let newest: Int64
    /// Damaged places that were noted, by offset.
    private let damage = Mutex<(seen: Set<Int>, notes: [String])>(([], []))

    /// The header of a block's file.
    static func identity(store: UInt64, number: UInt32) -> [UInt8] {
        let words: [UInt64] = [0x3130_4b43_4c42_5254, 1, store, UInt64(number)]  // "TRBLCK01"
        let all = words + [unsafe words.withUnsafeBytes { unsafe ByteHash.checksum($0) }]
        return unsafe all.withUnsafeBytes { unsafe Array($0) } + [UInt8](repeating: 0, count: headerSize - 40)
    }

    /// The table and the end of a file with these stretches.
    static func ending(_ stretches: [(offset: Int, header: StretchHeader)], at offset: Int) -> [UInt8] {
        var table: [UInt8] = []
        for (offset, header) in stretches {
            table.append(word: UInt64(offset))
            table += header.bytes
        }
        var end: [UInt8] = []
        end.append(word: endMark)
        end.append(word: UInt64(offset))
        end.append(word: UInt64(stretches.count))
        end += bytes(CRC32C.checksum(table))
        end += bytes(CRC32C.checksum(end))
        return table + end
    }

    private static func bytes(_ checksum: UInt32) -> [UInt8] {
        stride(from: UInt32(0), to: 32, by: 8).map { UInt8(truncatingIfNeeded: checksum >> $0) }
    }

    /// Opens a file.
    ///
    /// - Parameter isKnown: whether the series log has this revision. Other stretches are ignored.
    init(
        _ path: String, store: UInt64, number: UInt32, isKnown: (UInt32) -> Bool, notes: inout [String]
    ) throws(StoreError) {
        self.number = number
        self.path = path
        file = try OpenFile(reading: path)
        byteCount = file.size
        let head = Self.read(file, byteCount, 0, Self.headerSize)
        guard let head, head.starts(with: Self.identity(store: store, number: number)) else {
            throw StoreError(.system, "\(path) is not a block of this store")
        }
        var found = Self.table(file, byteCount)
        if found == nil {
            found = Self.scan(file, byteCount)
            notes.append("the table of \(path) is damaged; \(found?.count ?? 0) headers are found without it")
        }
        stretches = (found ?? []).filter { isKnown($0.header.revision) }
        sampleCount = stretches.reduce(0) { $0 + $1.header.sampleCount }
        oldest = stretches.reduce(Int64.max) { min($0, $1.header.oldest) }
        newest = stretches.reduce(Int64.min) { max($0, $1.header.newest) }
    }

    private static func table(_ file: borrowing OpenFile, _ size: Int) -> [(offset: Int, header: StretchHeader)]? {
        guard size >= headerSize + endSize, let end = read(file, size, size - endSize, endSize) else { return nil }
        var input = unsafe end.withUnsafeBytes { bytes in
            (0..<4).map { unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self)) }
        }
        let sums = input.removeLast()
        guard input[0] == endMark, CRC32C.checksum(end[..<28]) == UInt32(truncatingIfNeeded: sums >> 32),
            input[2] <= UInt64(size / entrySize), input[1] >= UInt64(headerSize),
            input[1] == UInt64(size - endSize) - input[2] * UInt64(entrySize)
        else { return nil }
        let count = Int(input[2])
        guard let table = read(file, size, Int(input[1]), count * entrySize),
            CRC32C.checksum(table.prefix(count * entrySize)) == UInt32(truncatingIfNeeded: sums)
        else { return nil }
        var found: [(offset: Int, header: StretchHeader)] = []
        for index in 0..<count {
            let (offset, header) = unsafe table.withUnsafeBytes { bytes in
                unsafe (
                    UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index * entrySize, as: UInt64.self)),
                    StretchHeader.read(bytes.baseAddress! + index * entrySize + 8)
                )
            }
            guard header.isWhole, offset <= input[1], UInt64(header.length) <= input[1] - offset else { return nil }
            found.append((Int(offset), header))
        }
        return found
    }

    /// The headers up to the first invalid one.
    private static func scan(_ file: borrowing OpenFile, _ size: Int) -> [(offset: Int, header: StretchHeader)] {
        var found: [(offset: Int, header: StretchHeader)] = []
        var offset = headerSize
        while let bytes = read(file, size, offset, StretchHeader.size) {
            let header = unsafe bytes.withUnsafeBytes { unsafe StretchHeader.read($0.baseAddress!) }
            guard header.isWhole, Int(header.length) <= size - offset else { break }
            found.append((offset, header))
            offset += Int(header.length)
        }
        return found
    }

    /// Reads `count` bytes from `offset` on, and ``BitPacking/slack`` zeros; `nil` if the file is shorter or cannot be
    /// read.
    func read(_ offset: Int, _ count: Int) -> [UInt8]? { Self.read(file, byteCount, offset, count) }

    private static func read(_ file: borrowing OpenFile, _ size: Int, _ offset: Int, _ count: Int) -> [UInt8]? {
        guard offset >= 0, count >= 0, offset <= size, count <= size - offset else { return nil }
        let descriptor = file.descriptor
        var isRead = true
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count + BitPacking.slack) { buffer, initialized in
            var done = 0
            while done < count {
                let got = unsafe pread(descriptor, buffer.baseAddress! + done, count - done, off_t(offset + done))
                if got < 0 && errno == EINTR { continue }
                guard got > 0 else {
                    isRead = false
                    break
                }
                done += got
            }
            unsafe (buffer.baseAddress! + done).initialize(repeating: 0, count: count + BitPacking.slack - done)
            initialized = count + BitPacking.slack
        }
        return isRead ? bytes : nil
    }

    /// Records damage of `part` once.
    func noteDamage(_ part: String, at offset: Int) {
        damage.withLock { damage in
            guard damage.seen.insert(offset).inserted else { return }
            damage.notes.append("\(path): \(part) cannot be read or has a wrong checksum; its samples are lost")
        }
    }

    /// Whether any part was found damaged.
    var isDamaged: Bool { damage.withLock { !$0.seen.isEmpty } }

    /// The number of damaged parts that were found.
    var damagedParts: Int { damage.withLock { $0.seen.count } }

    /// The notes since the last call.
    func takeNotes() -> [String] {
        damage.withLock { damage in
            defer { damage.notes = [] }
            return damage.notes
        }
    }
}

/// The blocks at a time, and the stretches of each lane. Immutable: what a query pins stays readable.
final class BlockList: Sendable {
    /// In the order of their numbers.
    let blocks: [BlockFile]
    private let lanes: [UInt32: [StretchPlace]]

    init(_ blocks: [BlockFile]) {
        self.blocks = blocks
        var lanes: [UInt32: [StretchPlace]] = [:]
        for block in blocks {
            for (offset, header) in block.stretches {
                lanes[header.lane, default: []].append(StretchPlace(block: block, offset: offset, header: header))
            }
        }
        for (lane, places) in lanes {
            // Without a manifest there may be a merged block and those that it replaces.
            let sorted = places.sorted {
                ($0.header.firstChunk, $1.header.lastChunk) < ($1.header.firstChunk, $0.header.lastChunk)
            }
            var kept: [StretchPlace] = []
            for place in sorted where kept.last.map({ $0.header.lastChunk < place.header.firstChunk }) ?? true {
                kept.append(place)
            }
            lanes[lane] = kept
        }
        self.lanes = lanes
    }

    /// The lanes with stretches.
    var laneIDs: Dictionary<UInt32, [StretchPlace]>.Keys { lanes.keys }

    /// The stretches of a lane, ascending.
    func stretches(of lane: UInt32) -> [StretchPlace] { lanes[lane] ?? [] }

    /// The stretch that has, or could have, chunk `number` of `lane`.
    func stretch(of number: Int, in lane: UInt32) -> StretchPlace? {
        guard let places = lanes[lane] else { return nil }
        let index = places.partitioningIndex { Int($0.header.lastChunk) >= number }
        guard index < places.count, Int(places[index].header.firstChunk) <= number else { return nil }
        return places[index]
    }

    /// The oldest chunk of `lane` in a block.
    func firstChunk(of lane: UInt32) -> Int? { lanes[lane]?.first.map { Int($0.header.firstChunk) } }

    var byteCount: Int { blocks.reduce(0) { $0 + $1.byteCount } }
    var sampleCount: UInt64 { blocks.reduce(0) { $0 + $1.sampleCount } }

    var timeRange: ClosedRange<Int64>? {
        let oldest = blocks.reduce(Int64.max) { min($0, $1.oldest) }
        let newest = blocks.reduce(Int64.min) { max($0, $1.newest) }
        return oldest <= newest ? oldest...newest : nil
    }
}
