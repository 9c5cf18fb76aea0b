internal import Glibc
public import MetricModel
internal import Synchronization

extension MetricStore {
    /// Rewrites sealed chunks series by series, in blocks, and merges small blocks: one file per call.
    ///
    /// Call it from one thread at a time, which may have a low priority: neither writers nor readers wait for it. A
    /// kill or a failure at any moment loses nothing, because the chunks are removed after the block is on disk.
    ///
    /// - Parameters:
    ///   - now: the time; samples of the last hour stay in sealed chunks.
    ///   - step: called after a few milliseconds of work each time. It may wait, to limit the speed; if it returns
    ///     `false`, the file is given up.
    /// - Returns: whether there was something to do.
    /// - Throws: if the file cannot be written; the next call tries again.
    public func compact(now: Timestamp, step: @escaping () -> Bool = { true }) throws(StoreError) -> Bool {
        guard let directory = core.directory else { return false }
        do throws(StoreError) {
            let compaction = Compaction(core: core, directory: directory, step: step)
            if try compaction.sealedChunks(before: now.milliseconds - Compaction.youngest) { return true }
            return try compaction.smallBlocks()
        } catch  where error.code == .closed {
            return false
        } catch {
            core.blocks.failures.wrappingAdd(1, ordering: .relaxed)
            throw error
        }
    }
}

/// One file of a compaction.
private struct Compaction {
    /// The age of samples, in milliseconds, at which they are rewritten. Rules read younger ones.
    static let youngest: Int64 = 3_600_000
    /// The limit of the segments and blocks that one file is made from.
    private static let mostBytes = 1 << 30
    /// Bytes that are written between two syncs, so that the disk has no long queue when others sync.
    private static let syncedAtOnce = 4 << 20

    let core: StoreCore
    let directory: StoreDirectory
    let step: () -> Bool

    // MARK: Sealed chunks

    /// A chunk that is rewritten.
    private struct Input {
        var number: Int
        var place: ChunkPlace
        var rowCount: Int
        var blockCount: Int
        var wordCount: Int
    }

    /// Writes a block from the oldest segments. Returns `false` if none is old enough.
    func sealedChunks(before time: Int64) throws(StoreError) -> Bool {
        let segments = core.segments.settled(before: time, span: core.blockSpan, bytes: Self.mostBytes)
        guard let last = segments.last else { return false }
        let pinned = core.segments.pin()
        let (inputs, ends) = inputs(of: segments, pinned)
        if !inputs.isEmpty {
            let block = try write { write throws(StoreError) in
                for (lane, chunks) in inputs { try stretches(lane, chunks, pinned, write) }
            }
            // A chunk names its revision of the series log, which must not be lost before the chunk.
            try core.log?.flush()
            try OpenFile(reading: directory.seriesLog).sync()
            _ = try core.blocks.publish(block, replacing: [])
        }
        // Readers that do not find a chunk any more look for it in the blocks, which have it by now.
        let lanes = core.catalog.read { $0.lanes }
        for (lane, end) in ends { lanes[lane]?.directory.lose(before: end + 1) }
        core.blocks.whileUnchanged { core.segments.release(through: last.number) }
        return true
    }

    /// The chunks in `segments` that are not in a block yet, by lane, and the newest chunk of each lane.
    private func inputs(
        of segments: [(number: UInt32, chunks: [(header: ChunkHeader, place: ChunkPlace)])], _ pinned: PinnedSegments
    ) -> (inputs: [(lane: UInt32, chunks: [Input])], ends: [UInt32: Int]) {
        let lanes = core.catalog.read { $0.lanes }
        let blocks = core.blocks.pin()
        var inputs: [UInt32: [Input]] = [:]
        var ends: [UInt32: Int] = [:]
        for (header, place) in segments.lazy.flatMap(\.chunks) where header.isWhole {
            let number = Int(header.chunk)
            // The directory does not have chunks that were damaged, or are of a lost revision.
            guard let lane = lanes[header.lane], let known = lane.directory[number], known.checked == place.checked
            else { continue }
            ends[header.lane] = max(ends[header.lane] ?? 0, number)
            if blocks.stretch(of: number, in: header.lane) != nil { continue }
            inputs[header.lane, default: []].append(
                Input(
                    number: number, place: known, rowCount: Int(header.rowCount), blockCount: Int(header.blockCount),
                    wordCount: unsafe pinned.record(at: known).map { unsafe $0.wordCount } ?? 0))
        }
        return (inputs.sorted { $0.key < $1.key }.map { ($0.key, $0.value.sorted { $0.number < $1.number }) }, ends)
    }

    private func stretches(
        _ lane: UInt32, _ chunks: [Input], _ pinned: PinnedSegments, _ write: Writing
    ) throws(StoreError) {
        let slots = ActiveChunk.start(ofBlock: chunks.reduce(0) { max($0, $1.blockCount) })
        let words = chunks.reduce(0) { max($0, $1.wordCount / max($1.rowCount, 1)) }
        let most = StretchHeader.mostRows(slots: slots, words: words)
        for part in Self.parts(chunks.map(\.rowCount), most: most) {
            var sources: [RowSource] = []
            for chunk in chunks[part] {
                guard let record = unsafe pinned.record(at: chunk.place) else { continue }
                if !chunk.place.isChecked, unsafe !core.segments.isWhole(record, at: chunk.place) { continue }
                unsafe sources.append(.chunk(record))
            }
            if sources.isEmpty { continue }
            try write(lane, sources)
        }
    }

    /// Divides neighbours into parts of about the same number of rows, at most `most` unless one alone has more.
    static func parts(_ rows: [Int], most: Int) -> [Range<Int>] {
        let total = rows.reduce(0, +)
        let count = max(1, (total + most - 1) / most)
        let wanted = (total + count - 1) / count
        var parts: [Range<Int>] = []
        var start = 0
        var sum = 0
        for index in rows.indices {
            if index > start, sum + rows[index] > most || sum >= wanted {
                parts.append(start..<index)
                (start, sum) = (index, 0)
            }
            sum += rows[index]
        }
        if start < rows.count { parts.append(start..<rows.count) }
        return parts
    }

    // MARK: Merging

    /// Merges the oldest neighbouring blocks that together have less than the longest time range. Returns `false` if
    /// there are none that another block follows.
    func smallBlocks() throws(StoreError) -> Bool {
        let list = core.blocks.pin()
        // A damaged block stays as it is: whoever inspects it finds all that is left.
        let blocks = list.blocks.filter { !$0.isDamaged }.sorted { ($0.oldest, $0.number) < ($1.oldest, $1.number) }
        guard let group = group(in: blocks, of: list) else { return false }
        let former = Array(blocks[group])
        var lanes: [UInt32: [StretchPlace]] = [:]
        for block in former {
            for (offset, header) in block.stretches {
                lanes[header.lane, default: []].append(StretchPlace(block: block, offset: offset, header: header))
            }
        }
        let block = try write { write throws(StoreError) in
            for (lane, places) in lanes.sorted(by: { $0.key < $1.key }) {
                try merge(lane, places.sorted { $0.header.firstChunk < $1.header.firstChunk }, write)
            }
        }
        // If damage was found, or retention was faster, nothing changes.
        let isDamaged = former.contains { $0.isDamaged }
        if !isDamaged, try core.blocks.publish(block, replacing: former) { return true }
        unsafe unlink(block.path)
        return true
    }

    private func group(in blocks: [BlockFile], of list: BlockList) -> Range<Int>? {
        var start = 0
        while start < blocks.count {
            var (end, newest, bytes) = (start, Int64.min, 0)
            while end < blocks.count {
                newest = max(newest, blocks[end].newest)
                bytes += blocks[end].byteCount
                if newest - blocks[start].oldest > core.blockSpan || bytes > Self.mostBytes { break }
                end += 1
            }
            if end == blocks.count { return nil }
            if end - start > 1, Self.areNeighbours(blocks[start..<end], in: list) { return start..<end }
            start += 1
        }
        return nil
    }

    /// Whether no other block has chunks between those of `group`, such as a damaged one, or one of samples that were
    /// written later and are older. A stretch covers all chunks from its first to its last.
    private static func areNeighbours(_ group: ArraySlice<BlockFile>, in list: BlockList) -> Bool {
        var ranges: [UInt32: ClosedRange<UInt32>] = [:]
        for (_, header) in group.lazy.flatMap(\.stretches) {
            let known = ranges[header.lane] ?? header.firstChunk...header.lastChunk
            ranges[header.lane] =
                min(known.lowerBound, header.firstChunk)...max(known.upperBound, header.lastChunk)
        }
        return list.blocks.allSatisfy { block in
            group.contains { $0 === block }
                || block.stretches.allSatisfy { _, header in
                    ranges[header.lane]?.overlaps(header.firstChunk...header.lastChunk) != true
                }
        }
    }

    private func merge(_ lane: UInt32, _ places: [StretchPlace], _ write: Writing) throws(StoreError) {
        let slots = ActiveChunk.start(ofBlock: places.reduce(0) { max($0, Int($1.header.blockCount)) })
        let words = places.reduce(0) { max($0, Int($1.header.wordCount / max($1.header.rowCount, 1))) }
        let most = StretchHeader.mostRows(slots: slots, words: words)
        for part in Self.parts(places.map { Int($0.header.rowCount) }, most: most) {
            let sources = places[part].compactMap { StretchReader($0).map { RowSource.stretch($0) } }
            if sources.isEmpty { continue }
            try write(lane, sources)
        }
    }

    // MARK: Writing

    /// Writes a stretch of these rows.
    private typealias Writing = (UInt32, [RowSource]) throws(StoreError) -> Void

    /// Writes a block of the stretches that `body` gives. It is on disk when this returns, and in no manifest.
    private func write(_ body: (Writing) throws(StoreError) -> Void) throws(StoreError) -> BlockFile {
        let number = core.blocks.takeNumber()
        let path = directory.block(number)
        _ = try OpenFile.make(path, synced: true) { file throws(StoreError) in
            try file.write(BlockFile.identity(store: directory.store, number: number)[...], at: 0)
            var stretches: [(offset: Int, header: StretchHeader)] = []
            var offset = BlockFile.headerSize
            var unsynced = 0
            try body { (lane, sources) throws(StoreError) in
                guard let (header, bytes) = StretchEncoder.encode(lane: lane, sources, step: step) else {
                    throw StoreError(.closed, "compaction was ended")
                }
                try file.write(bytes[...], at: offset)
                stretches.append((offset, header))
                offset += bytes.count
                unsynced += bytes.count
                if unsynced > Self.syncedAtOnce {
                    try file.sync()
                    unsynced = 0
                }
            }
            try file.write(BlockFile.ending(stretches, at: offset)[...], at: offset)
        }
        var notes: [String] = []
        let block = try BlockFile(path, store: directory.store, number: number, isKnown: { _ in true }, notes: &notes)
        core.blocks.written.wrappingAdd(1, ordering: .relaxed)
        return block
    }
}
