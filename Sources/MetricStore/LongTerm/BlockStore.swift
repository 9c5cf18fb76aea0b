internal import Glibc
internal import Runtime
internal import Synchronization

/// The block files of a store, and the manifest that names them. Shared by all threads.
///
/// A block exists when the manifest names it. The manifest is replaced by rename, after the block was synced; files
/// that it does not name are deleted at the next start. A reader pins the list of blocks that it began with; the file
/// of a removed block is unlinked at once, and its bytes are freed with the last such list.
final class BlockStore: Sendable {
    private struct State {
        var list = BlockList([])
        var nextNumber: UInt32 = 1
        /// The newest chunk that each lane has lost since ``BlockStore/takeDropped()``.
        var dropped: [UInt32: UInt32] = [:]
        var notes: [String] = []
        /// Damaged parts of blocks that were removed.
        var damagedParts = 0
    }

    private static let mark: UInt64 = 0x3130_4e41_4d42_5254  // "TRBMAN01"
    private static let mostBlocks: UInt64 = 1 << 20

    let directory: StoreDirectory?
    private let state = Mutex(State())
    /// Held while the list changes, and by snapshots, for which it must not change.
    private let publishing = Guarded(())

    /// Blocks written since the start.
    let written = Atomic<UInt64>(0)
    /// Failed attempts to write one.
    let failures = Atomic<UInt64>(0)

    init(directory: StoreDirectory?) {
        self.directory = directory
    }

    /// The current blocks.
    func pin() -> BlockList { state.withLock { $0.list } }

    /// The size of all blocks in bytes.
    var byteCount: Int { pin().byteCount }

    /// The number of the next block.
    func takeNumber() -> UInt32 {
        state.withLock { state in
            defer { state.nextNumber += 1 }
            return state.nextNumber
        }
    }

    /// Adds `block` in place of `former`, all or nothing.
    ///
    /// - Returns: `false` if one of `former` was removed meanwhile; then nothing has changed.
    func publish(_ block: BlockFile, replacing former: [BlockFile]) throws(StoreError) -> Bool {
        try publishing.write { _ throws(StoreError) in try replace(former, with: block) }
    }

    private func replace(_ former: [BlockFile], with block: BlockFile?) throws(StoreError) -> Bool {
        let current = pin().blocks
        guard former.allSatisfy({ old in current.contains { $0 === old } }) else { return false }
        var next = current.filter { block in !former.contains { $0 === block } }
        if let block { next.append(block) }
        next.sort { $0.number < $1.number }
        try write(next.map(\.number))
        let list = BlockList(next)
        state.withLock { state in
            state.list = list
            for block in former {
                state.notes += block.takeNotes()
                state.damagedParts += block.damagedParts
            }
        }
        for old in former { unsafe unlink(old.path) }
        return true
    }

    /// Drops the oldest blocks as long as `condition` is true for the oldest one.
    func drop(while condition: (BlockFile) -> Bool) {
        while true {
            let oldest = pin().blocks.min { $0.newest < $1.newest }
            guard let oldest, condition(oldest) else { return }
            do throws(StoreError) {
                let isDone = try publishing.writeIfFree { _ throws(StoreError) in try replace([oldest], with: nil) }
                // While a snapshot is made, the block stays until the next call.
                guard let isDone else { return }
                if !isDone { continue }
            } catch {
                // The disk is full; the next call tries again.
                return
            }
            state.withLock { state in
                for (_, header) in oldest.stretches {
                    state.dropped[header.lane] = max(state.dropped[header.lane] ?? 0, header.lastChunk)
                }
            }
        }
    }

    /// The newest chunk that each lane has lost since the last call.
    func takeDropped() -> [UInt32: UInt32] {
        state.withLock { state in
            defer { state.dropped = [:] }
            return state.dropped
        }
    }

    /// Notes about damage since the last call.
    func takeNotes() -> [String] {
        let list = pin()
        return state.withLock { state in
            defer { state.notes = [] }
            return state.notes
        } + list.blocks.flatMap { $0.takeNotes() }
    }

    /// The number of parts that were found damaged since the start.
    var damagedParts: Int {
        let list = pin()
        return state.withLock { $0.damagedParts } + list.blocks.reduce(0) { $0 + $1.damagedParts }
    }

    /// Calls `body` while no block is added or removed.
    func whileUnchanged<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        try publishing.write { _ throws(Failure) in try body() }
    }

    // MARK: Files

    private func write(_ numbers: [UInt32]) throws(StoreError) {
        guard let directory else { return }
        var words = [Self.mark, 1, directory.store, UInt64(numbers.count)] + numbers.map(UInt64.init)
        words.append(unsafe words.withUnsafeBytes { unsafe ByteHash.checksum($0) })
        let bytes = unsafe words.withUnsafeBytes { unsafe Array($0) }
        _ = try OpenFile.make(directory.manifest, synced: true) { file throws(StoreError) in
            try file.write(bytes[...], at: 0)
        }
    }

    /// Whether the directory has a manifest, and the numbers in it; `nil` for a damaged one.
    private static func read(_ directory: StoreDirectory) -> (exists: Bool, numbers: [UInt32]?) {
        guard Paths.exists(directory.manifest) else { return (false, nil) }
        // One that cannot be read is treated like a damaged one.
        guard let bytes = try? FileText.bytes(directory.manifest, limit: 1 << 24), bytes.count >= 40,
            bytes.count % 8 == 0
        else { return (true, nil) }
        let words = unsafe bytes.withUnsafeBytes { bytes in
            (0..<bytes.count / 8).map {
                unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self))
            }
        }
        let sum = unsafe words.dropLast().withUnsafeBytes { unsafe ByteHash.checksum($0) }
        guard words[0] == mark, words[1] == 1, words[2] == directory.store, words[3] <= mostBlocks,
            words.count == Int(words[3]) + 5, words[words.count - 1] == sum
        else { return (true, nil) }
        return (true, words[4..<words.count - 1].map { UInt32(truncatingIfNeeded: $0) })
    }

    /// Opens the blocks of an earlier process.
    ///
    /// - Parameter isKnown: whether the series log has this revision.
    /// - Returns: a note for each file that is missing, was renamed, or is damaged.
    func recover(_ isKnown: (UInt32) -> Bool) -> [String] {
        guard let directory else { return [] }
        var notes: [String] = []
        let present = StoreDirectory.numbers(in: directory.blocks)
        let (exists, listed) = Self.read(directory)
        if listed == nil, exists {
            notes.append("\(directory.manifest) is damaged: \(StoreDirectory.setAside(directory.manifest))")
        }
        var blocks: [BlockFile] = []
        for number in listed ?? present {
            let path = directory.block(number)
            guard present.contains(number) else {
                notes.append("\(path) is missing")
                continue
            }
            do throws(StoreError) {
                blocks.append(
                    try BlockFile(path, store: directory.store, number: number, isKnown: isKnown, notes: &notes))
            } catch {
                notes.append("\(error.message): \(StoreDirectory.setAside(path))")
            }
        }
        if let listed {
            for number in present where !listed.contains(number) { unsafe unlink(directory.block(number)) }
        }
        for number in StoreDirectory.numbers(in: directory.blocks, suffix: ".new") {
            unsafe unlink(directory.block(number) + ".new")
        }
        let list = BlockList(blocks)
        state.withLock { state in
            state.list = list
            state.nextNumber = (present.last ?? 0) + 1
        }
        return notes
    }
}
