internal import Synchronization

/// Checks the writer's state. Call it from the writer's thread, or while no thread writes.
extension ActiveChunk: InvariantChecking {
    var brokenInvariants: [String] {
        var report = InvariantReport()
        let chunk = unsafe Int(header[Word.chunk].load(ordering: .relaxed))
        let rowCount = head - chunk * ColumnCodec.rows
        report.expect((0...ColumnCodec.rows).contains(rowCount), "head \(head) is in chunk \(chunk)")
        report.expect(blockCount <= capacity, "the table has room for \(blockCount) blocks")
        report.expect(spareBlocks >= 0, "no more blocks are used than were mapped")
        guard report.broken.isEmpty else { return report.broken }
        checkTimes(rowCount, &report)
        for index in 0..<blockCount {
            let block = unsafe blocks[index]
            report.expect(unsafe block.width == Self.width(ofBlock: index), "block \(index) has the width of its index")
            for column in 0..<(unsafe block.width) {
                let state = unsafe block.states[column]
                guard state.series == SeriesIndex.none else { continue }
                report.expect(
                    state.newest == .max && state.companions == SlotState.none && !state.isUnclaimed,
                    "slot \(column) of block \(index), which has no series, takes no samples")
            }
        }
        report.add("histograms", histograms.brokenInvariants)
        return report.broken
    }

    private func checkTimes(_ rowCount: Int, _ report: inout InvariantReport) {
        let oldest = unsafe Int64(bitPattern: header[Word.oldest].load(ordering: .relaxed))
        let newest = unsafe Int64(bitPattern: header[Word.newest].load(ordering: .relaxed))
        for row in 0..<rowCount {
            let time = unsafe Int64(bitPattern: header[Word.rowTimes + row].load(ordering: .relaxed))
            report.expect(oldest <= time && time <= newest, "row \(row) is between the oldest and the newest time")
        }
    }
}

extension HistogramArena: InvariantChecking {
    var brokenInvariants: [String] {
        var report = InvariantReport()
        report.expect(mappings.count <= Self.pieceCount, "there are at most \(Self.pieceCount) pieces")
        report.expect(used <= Self.start(ofPiece: mappings.count), "used words are in mapped pieces")
        return report.broken
    }
}

extension ChunkDirectory {
    /// The violated rules of the directory of a lane that has sealed the chunks before `next`. `header` returns the
    /// record at a place, if it still exists.
    func brokenInvariants(before next: Int, header: (ChunkPlace) -> ChunkHeader?, lane: UInt32) -> [String] {
        var report = InvariantReport()
        let present = unsafe table.load(ordering: .acquiring)
        let capacity = unsafe Int(present.pointee.load(ordering: .relaxed))
        let first = first.load(ordering: .acquiring)
        report.expect(capacity > 0 && capacity & (capacity - 1) == 0, "the capacity is a power of two")
        report.expect(first <= next, "the oldest chunk \(first) is not after \(next)")
        guard report.broken.isEmpty else { return report.broken }
        for chunk in max(first, next - capacity)..<next {
            let word = unsafe Self.entry(chunk, present).pointee.load(ordering: .relaxed)
            guard word != 0 else { continue }
            let place = ChunkPlace(word: word)
            report.expect(
                place.segment > 0 && place.offset >= Segment.headerSize, "the place of chunk \(chunk) is in a segment"
            )
            guard let header = header(place) else { continue }
            // The entry of a chunk that was never sealed still holds the place of an older chunk.
            report.expect(
                header.isWhole && header.lane == lane && Int(header.chunk) <= chunk
                    && (chunk - Int(header.chunk)) & (capacity - 1) == 0,
                "the place of chunk \(chunk) holds that chunk of lane \(lane)")
        }
        return report.broken
    }
}
