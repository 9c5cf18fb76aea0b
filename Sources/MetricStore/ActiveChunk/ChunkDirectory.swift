internal import Synchronization

/// The places of a lane's sealed chunks, by number: a ring that the lane's writer extends while readers use it.
///
/// For a chunk that was lost long ago, a lookup may return the place of a later one. The record's header says which
/// chunk it is.
///
/// `@unchecked`: entries are atomics, the table is published by a release store, and `oldTables` is the writer's.
@safe final class ChunkDirectory: @unchecked Sendable {
    /// The capacity, then a place per chunk.
    let table: Atomic<AtomicWords>
    /// Tables replaced by larger ones. Readers may still use them. Together they are smaller than the current one.
    private var oldTables: [AtomicWords] = unsafe []
    /// The oldest chunk that is not lost, and not in a block only.
    let first = Atomic<Int>(0)

    init() {
        unsafe table = Atomic(Self.makeTable(capacity: 8))
    }

    deinit {
        for index in unsafe oldTables.indices { unsafe oldTables[index].deallocate() }
        unsafe table.load(ordering: .acquiring).deallocate()
    }

    private static func makeTable(capacity: Int) -> AtomicWords {
        let table = AtomicWords.allocate(capacity: capacity + 1)
        unsafe table.initialize(to: Atomic(UInt64(capacity)))
        for index in 1...capacity { unsafe (table + index).initialize(to: Atomic(0)) }
        return unsafe table
    }

    static func entry(_ chunk: Int, _ table: AtomicWords) -> AtomicWords {
        let capacity = unsafe Int(table.pointee.load(ordering: .relaxed))
        return unsafe table + (1 + chunk & (capacity - 1))
    }

    /// The place of `chunk`, if it is sealed and not lost.
    subscript(chunk: Int) -> ChunkPlace? {
        guard chunk >= first.load(ordering: .acquiring) else { return nil }
        let word = unsafe Self.entry(chunk, table.load(ordering: .acquiring)).pointee.load(ordering: .acquiring)
        return word == 0 ? nil : ChunkPlace(word: word)
    }

    /// Enters the place of `chunk`, the newest one. Called by the writer.
    func add(_ chunk: Int, at place: ChunkPlace) {
        let present = unsafe table.load(ordering: .relaxed)
        let capacity = unsafe Int(present.pointee.load(ordering: .relaxed))
        let first = first.load(ordering: .relaxed)
        guard chunk - first >= capacity else {
            unsafe Self.entry(chunk, present).pointee.store(place.word, ordering: .releasing)
            return
        }
        var wanted = capacity
        while chunk - first >= wanted { wanted *= 2 }
        let larger = unsafe Self.makeTable(capacity: wanted)
        for old in max(first, chunk - capacity)..<chunk {
            let word = unsafe Self.entry(old, present).pointee.load(ordering: .relaxed)
            unsafe Self.entry(old, larger).pointee.store(word, ordering: .relaxed)
        }
        unsafe Self.entry(chunk, larger).pointee.store(place.word, ordering: .relaxed)
        unsafe table.store(larger, ordering: .releasing)
        unsafe oldTables.append(present)
    }

    /// Replaces `old` with `new`, or with no place, if it is still the entry of `chunk`. May be called from any thread.
    /// If the writer moves to a larger table at the same time, the change is lost and the next reader makes it again.
    func replace(_ old: ChunkPlace, of chunk: Int, by new: ChunkPlace?) {
        let entry = unsafe Self.entry(chunk, table.load(ordering: .acquiring))
        _ = unsafe entry.pointee.compareExchange(expected: old.word, desired: new?.word ?? 0, ordering: .relaxed)
    }

    /// Marks the chunks before `chunk` as lost, or moved into a block.
    func lose(before chunk: Int) {
        var known = first.load(ordering: .relaxed)
        while chunk > known {
            let (exchanged, original) = first.compareExchange(expected: known, desired: chunk, ordering: .releasing)
            if exchanged { return }
            known = original
        }
    }
}
