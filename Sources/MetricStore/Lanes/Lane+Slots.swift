public import MetricModel

extension Lane {
    /// The slot of the series `labels`, which is created if need be.
    ///
    /// Takes the index's lock: remember the slot, do not ask per sample.
    public func slot(for labels: Labels) throws(StoreError) -> RingSlot {
        guard active != nil else { throw StoreError(.closed, "lane \(name) is closed") }
        let known = core.catalog.read { $0.index.latestLocation(of: labels, in: id.rawValue) }
        if let known, known.death == SeriesIndex.Location.alive {
            claim(known.slot)
            return known.slot
        }
        guard labels.count <= SeriesIndex.mostLabels else {
            throw StoreError(.seriesLimit, "a series with \(labels.count) labels")
        }
        let birth = UInt32(nextChunk)
        let slot = try takeSlot()
        let (series, isNew) = try core.catalog.write { catalog throws(StoreError) in
            guard !catalog.isClosed else {
                spareSlot = slot
                throw StoreError(.closed, "the store is closed")
            }
            guard catalog.index.count < core.maximumSeries || catalog.index.find(labels) != nil else {
                spareSlot = slot
                throw StoreError(.seriesLimit, "the limit of \(core.maximumSeries) series is reached")
            }
            let bound = catalog.index.bind(labels, lane: id.rawValue, slot: slot, birth: birth)
            log(bound, slot, birth: birth, &catalog.index)
            return bound
        }
        withState(of: slot) { state in
            state = ActiveChunk.SlotState(newest: .min, birth: birth, series: series)
        }
        if let known { carryNewest(of: known, to: slot) }
        if isNew { core.seriesChanged() }
        return slot
    }

    /// Notes a slot's new series, and the pairs that nobody had before. Under the index lock.
    private func log(
        _ bound: (series: UInt32, isNew: Bool), _ slot: RingSlot, birth: UInt32, _ index: inout SeriesIndex
    ) {
        let made = index.takeMadePairs()
        guard let log = core.log else { return }
        for pair in made {
            log.add(.pair(id: pair, Label(index.pairs.nameText(pair), index.pairs.valueText(pair))))
        }
        log.add(
            .bind(
                lane: id.rawValue, slot: slot, birth: birth, isNew: bound.isNew,
                pairs: Array(index.pairs(of: bound.series))))
    }

    /// Notes that the series of `slot`, which an earlier process left, is still wanted.
    private func claim(_ slot: RingSlot) {
        guard unclaimedCount > 0 else { return }
        let wasUnclaimed = withState(of: slot) { state in
            defer { state.isUnclaimed = false }
            return state.isUnclaimed
        }
        if wasUnclaimed == true { unclaimedCount -= 1 }
    }

    /// Retires the series that nobody has claimed.
    func retireUnclaimed() {
        guard let active, unclaimedCount > 0 else { return }
        for block in 0..<active.blockCount {
            for column in 0..<(unsafe active.blocks[block].width)
            where unsafe active.blocks[block].states[column].isUnclaimed {
                retire(RingSlot(block: block, column: column))
            }
        }
        unclaimedCount = 0
    }

    /// Gives up the slot of a series that has ended. Its samples stay until retention takes them; write a staleness marker
    /// first. A series that never got a sample is gone at once. Asking for the same labels again later is fine.
    public func retire(_ slot: RingSlot) {
        guard
            let old = withState(
                of: slot,
                { state in
                    defer { state = ActiveChunk.SlotState() }
                    return state
                }), old.series != SeriesIndex.none
        else { return }
        // Bound after the chunk was full, the series was to begin in the next one, which must not be given away again.
        let death = max(UInt32(chunk), old.birth)
        let companions = companions(old)
        let isGone = core.catalog.write { catalog in
            core.log?.add(.end(lane: id.rawValue, slot: slot, birth: old.birth, death: death))
            guard old.newest == .min else {
                catalog.index.end(old.series, lane: id.rawValue, slot: slot, birth: old.birth, death: death)
                return false
            }
            return catalog.index.unbind(old.series, lane: id.rawValue, slot: slot, birth: old.birth)
        }
        if isGone { core.seriesChanged() }
        for given in [slot, companions.times?.slot, companions.histograms?.slot] {
            if let given { freeSlots.append((given, death)) }
        }
        if old.companions != ActiveChunk.SlotState.none { freeCompanions.append(old.companions) }
    }

    /// A slot that holds nothing in the chunk that comes next.
    func takeSlot() throws(StoreError) -> RingSlot {
        if let spare = spareSlot {
            spareSlot = nil
            return spare
        }
        if nextFreeSlot < freeSlots.count, freeSlots[nextFreeSlot].death < nextChunk {
            nextFreeSlot += 1
            if nextFreeSlot > 64, 2 * nextFreeSlot > freeSlots.count {
                let slot = freeSlots[nextFreeSlot - 1].slot
                freeSlots.removeFirst(nextFreeSlot)
                nextFreeSlot = 0
                return slot
            }
            return freeSlots[nextFreeSlot - 1].slot
        }
        guard let active else { throw StoreError(.closed, "lane \(name) is closed") }
        let slot = nextSlot
        if slot.block == active.blockCount { try active.addBlock() }
        nextSlot =
            unsafe slot.column + 1 < active.blocks[slot.block].width
            ? RingSlot(block: slot.block, column: slot.column + 1) : RingSlot(block: slot.block + 1, column: 0)
        return slot
    }

    /// The companions of the slot with this state.
    func companions(_ state: ActiveChunk.SlotState) -> SeriesIndex.Companions {
        state.companions == ActiveChunk.SlotState.none
            ? SeriesIndex.Companions() : companionList[Int(state.companions)]
    }

    /// The writer's knowledge about `slot`; `nil` for a slot that does not exist.
    @discardableResult
    func withState<Result>(of slot: RingSlot, _ body: (inout ActiveChunk.SlotState) -> Result) -> Result? {
        guard let active, slot.block < active.blockCount else { return nil }
        let block = unsafe active.blocks[slot.block]
        guard unsafe slot.column < block.width else { return nil }
        return unsafe body(&block.states[slot.column])
    }
}
