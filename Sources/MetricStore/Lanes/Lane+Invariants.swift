internal import Synchronization

/// Checks the writer's state. Call it from the writer's thread, or while no thread writes.
extension Lane: InvariantChecking {
    var brokenInvariants: [String] {
        guard let active else { return [] }
        var report = InvariantReport()
        report.add("chunk \(chunk)", active.brokenInvariants)
        let pins = core.segments.pin()
        report.add(
            "directory",
            directory.brokenInvariants(
                before: chunk, header: { unsafe pins.record(at: $0)?.header }, lane: id.rawValue))
        checkRows(active, &report)
        checkSlots(active, &report)
        return report.broken
    }

    private func checkRows(_ active: ActiveChunk, _ report: inout InvariantReport) {
        report.expect(
            unsafe active.header[ActiveChunk.Word.chunk].load(ordering: .relaxed) == UInt64(chunk)
                && active.head == head, "the header says which chunk and row the lane is at")
        report.expect(
            pendingRows >= 0 && firstPendingRow + pendingRows <= ColumnCodec.rows, "pending rows fit into the chunk")
        report.expect(
            pendingRows > 0 || (pendingOldest == .max && pendingNewest == .min), "only pending rows have pending times")
        guard report.broken.isEmpty else { return }
        // Readers mask values above the head, but the encoder and the next row require that there are none.
        let allowed = hasLeftovers ? RowMask.max : ColumnCodec.everyRow(firstPendingRow + pendingRows)
        for block in 0..<active.blockCount {
            for column in 0..<(unsafe active.blocks[block].width) {
                let mask = unsafe active.blocks[block].masks[column].load(ordering: .relaxed)
                report.expect(mask & ~allowed == 0, "slot \(column) of block \(block) has no sample in a later row")
            }
        }
    }

    private func checkSlots(_ active: ActiveChunk, _ report: inout InvariantReport) {
        var owners: [RingSlot: String] = [:]
        func own(_ slot: RingSlot, _ owner: String) {
            report.expect(owners.updateValue(owner, forKey: slot) == nil, "slot \(slot.ordinal) has one use")
        }
        for spare in spareSlots { own(spare, "spare") }
        for free in freeSlots[nextFreeSlot...] { own(free.slot, "free") }
        var unclaimed = 0
        var listed = Set(freeCompanions)
        report.expect(listed.count == freeCompanions.count, "no companions are free twice")
        for block in 0..<active.blockCount {
            for column in 0..<(unsafe active.blocks[block].width) {
                let state = unsafe active.blocks[block].states[column]
                guard state.series != SeriesIndex.none else { continue }
                if state.isUnclaimed { unclaimed += 1 }
                own(RingSlot(block: block, column: column), "series")
                report.expect(Int(state.birth) <= nextChunk, "series \(state.series) began in this chunk or before")
                guard state.companions != ActiveChunk.SlotState.none else { continue }
                report.expect(
                    listed.insert(state.companions).inserted && Int(state.companions) < companionList.count,
                    "series \(state.series) has companions of its own")
                let companions = companions(state)
                for slot in [companions.times?.slot, companions.histograms?.slot] {
                    if let slot { own(slot, "companion") }
                }
            }
        }
        report.expect(unclaimed == unclaimedCount, "\(unclaimedCount) slots are unclaimed, not \(unclaimed)")
        report.expect(listed.count == companionList.count, "companions are either a slot's or free")
        let taken = ActiveChunk.position(of: nextSlot)
        report.expect(
            owners.count == taken && owners.keys.allSatisfy { ActiveChunk.position(of: $0) < taken },
            "each slot before \(taken) is a series', a companion, spare or free")
    }

    /// The violated rules between this lane's slots and `index`, under the index lock.
    func brokenInvariants(against index: borrowing SeriesIndex) -> [String] {
        var report = InvariantReport()
        guard let active else { return [] }
        for block in 0..<active.blockCount {
            for column in 0..<(unsafe active.blocks[block].width) {
                let state = unsafe active.blocks[block].states[column]
                guard state.series != SeriesIndex.none else { continue }
                let slot = RingSlot(block: block, column: column)
                var isKnown = false
                index.forEachLocation(of: state.series) { location in
                    if location.lane == id.rawValue, location.slot == slot, location.birth == state.birth {
                        isKnown = location.death == SeriesIndex.Location.alive
                    }
                }
                report.expect(isKnown, "the index knows slot \(slot.ordinal) of series \(state.series)")
            }
        }
        return report.broken
    }
}
