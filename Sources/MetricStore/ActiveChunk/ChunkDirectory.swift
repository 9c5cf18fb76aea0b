internal import Synchronization

/// Where a lane's sealed chunks lie, by number: a ring of places that the lane's writer extends while readers look.
///
/// A lookup may give the place of a later chunk when the one asked for is long gone; the record's header says which it
/// is.
///
/// `@unchecked`: entries are atomics, the table is published by a release store, and `oldTables` is the writer's.
@safe final class ChunkDirectory: @unchecked Sendable {
    /// The capacity, then a place per chunk.
    let table: Atomic<AtomicWords>
    /// Outgrown tables, which readers may still look at; together they are smaller than the present one.
    private var oldTables: [AtomicWords] = unsafe []
    /// The oldest chunk that is not lost.
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

    /// Where `chunk` lies, if it is sealed and not lost.
    subscript(chunk: Int) -> ChunkPlace? {
        guard chunk >= first.load(ordering: .acquiring) else { return nil }
        let word = unsafe Self.entry(chunk, table.load(ordering: .acquiring)).pointee.load(ordering: .acquiring)
        return word == 0 ? nil : ChunkPlace(word: word)
    }

    /// Notes where `chunk`, the newest one, lies. The writer's.
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

    /// Replaces `old` with `new`, or with no place, if it is still the entry of `chunk`. Any thread: if the
    /// writer moves to a larger table at that moment the change is lost, and the next reader makes it again.
    func replace(_ old: ChunkPlace, of chunk: Int, by new: ChunkPlace?) {
        let entry = unsafe Self.entry(chunk, table.load(ordering: .acquiring))
        _ = unsafe entry.pointee.compareExchange(expected: old.word, desired: new?.word ?? 0, ordering: .relaxed)
    }

    /// Gives up the chunks before `chunk`. Any one thread at a time.
    func lose(before chunk: Int) {
        if chunk > first.load(ordering: .relaxed) { first.store(chunk, ordering: .releasing) }
    }
}
