public import MetricModel

extension Lane {
    /// The slot of the series `labels`; created if it is new.
    ///
    /// Takes the index lock: keep the slot instead of looking it up for each sample.
    public func slot(for labels: Labels) throws(StoreError) -> RingSlot {
        var slots: [RingSlot] = []
        try appendSlots(for: CollectionOfOne(labels), to: &slots)
        return slots[0]
    }

    /// Appends the slots of several series to `slots`, in their order. Many at once cost far less than one by one,
    /// especially if adjacent series share labels, as those of a target do.
    ///
    /// - Throws: if a series cannot be created. Slots appended before stay valid.
    public func appendSlots(
        for series: some RandomAccessCollection<Labels>, to slots: inout [RingSlot]
    ) throws(StoreError) {
        var rest = series[...]
        while !rest.isEmpty {
            // Bounds the time that queries wait for the lock.
            try appendSlots(ofFew: rest.prefix(Self.mostSlotsAtOnce), to: &slots)
            rest = rest.dropFirst(Self.mostSlotsAtOnce)
        }
    }

    private static let mostSlotsAtOnce = 256

    private func appendSlots(
        ofFew series: some RandomAccessCollection<Labels>, to slots: inout [RingSlot]
    ) throws(StoreError) {
        guard active != nil else { throw StoreError(.closed, "lane \(name) is closed") }
        let known = core.catalog.read { catalog in
            series.map { catalog.index.latestLocation(of: $0, in: id.rawValue) }
        }
        var fresh: [RingSlot] = []
        do throws(StoreError) {
            for location in known where location?.death != SeriesIndex.Location.alive { fresh.append(try takeSlot()) }
        } catch {
            spareSlots += fresh
            throw error
        }
        // Taken from the end, so that slots are used in order.
        fresh.reverse()
        let created = try create(series, known, &fresh, &slots)
        // A duplicate label set or a failure leaves unused slots.
        spareSlots += fresh
        if created.isAnyNew { core.seriesChanged() }
        if let failure = created.failure { throw failure }
    }

    /// Assigns slots from the end of `fresh` to the series without a live location.
    private func create(
        _ series: some RandomAccessCollection<Labels>, _ known: [SeriesIndex.Location?], _ fresh: inout [RingSlot],
        _ slots: inout [RingSlot]
    ) throws(StoreError) -> (isAnyNew: Bool, failure: StoreError?) {
        let birth = UInt32(nextChunk)
        var isAnyNew = false
        var failure: StoreError?
        var made: [(slot: RingSlot, series: UInt32, former: SeriesIndex.Location?)] = []
        if fresh.isEmpty {
            for location in known.compactMap({ $0 }) {
                claim(location.slot)
                slots.append(location.slot)
            }
            return (false, nil)
        }
        core.catalog.write { catalog in
            var run = PairRun()
            var records: [UInt8] = []
            for (labels, location) in zip(series, known) {
                if let location, location.death == SeriesIndex.Location.alive {
                    slots.append(location.slot)
                    continue
                }
                failure = refusal(of: labels, catalog)
                guard failure == nil, let slot = fresh.last else { break }
                let bound = catalog.index.bind(labels, lane: id.rawValue, slot: slot, birth: birth, in: &run)
                slots.append(bound.slot)
                // A repeated label set has one slot.
                if bound.slot != slot { continue }
                fresh.removeLast()
                isAnyNew = isAnyNew || bound.isNew
                made.append((slot, bound.series, location))
                if core.log != nil {
                    log((bound.series, bound.isNew), slot, birth: birth, &catalog.index, to: &records)
                }
            }
            if core.log == nil { _ = catalog.index.takeMadePairs() }
            core.log?.add(bytes: records)
        }
        for new in made {
            withState(of: new.slot) { state in
                state = ActiveChunk.SlotState(newest: .min, birth: birth, series: new.series)
            }
            if let former = new.former { carryNewest(of: former, to: new.slot) }
        }
        for location in known.compactMap({ $0 }) where location.death == SeriesIndex.Location.alive {
            claim(location.slot)
        }
        return (isAnyNew, failure)
    }

    /// Why the series `labels` cannot be created. Called under the index lock.
    private func refusal(of labels: Labels, _ catalog: borrowing StoreCore.Catalog) -> StoreError? {
        if catalog.isClosed { return StoreError(.closed, "the store is closed") }
        if labels.count > SeriesIndex.mostLabels {
            return StoreError(.seriesLimit, "a series with \(labels.count) labels")
        }
        guard catalog.index.count < core.maximumSeries || catalog.index.find(labels) != nil else {
            return StoreError(.seriesLimit, "the limit of \(core.maximumSeries) series is reached")
        }
        return nil
    }

    /// Adds the log records of a slot's new series to `records`, with those of new pairs. Called under the index lock.
    private func log(
        _ bound: (series: UInt32, isNew: Bool), _ slot: RingSlot, birth: UInt32, _ index: inout SeriesIndex,
        to records: inout [UInt8]
    ) {
        for pair in index.takeMadePairs() {
            let label = Label(index.pairs.nameText(pair), index.pairs.valueText(pair))
            SeriesRecord.pair(id: pair, label).write(to: &records)
        }
        SeriesRecord.bind(
            lane: id.rawValue, slot: slot, birth: birth, isNew: bound.isNew, pairs: Array(index.pairs(of: bound.series))
        ).write(to: &records)
    }

    /// Marks the series of `slot`, left by an earlier process, as in use.
    private func claim(_ slot: RingSlot) {
        guard unclaimedCount > 0 else { return }
        let wasUnclaimed = withState(of: slot) { state in
            defer { state.isUnclaimed = false }
            return state.isUnclaimed
        }
        if wasUnclaimed == true { unclaimedCount -= 1 }
    }

    /// Retires the series that were not claimed.
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

    /// Retires the slot of a series that has ended. Its samples stay until retention drops them; write a staleness
    /// marker first. A series without samples is removed at once. The same labels may be used again later.
    public func retire(_ slot: RingSlot) {
        retireOutOfOrder(slot)
        guard
            let old = withState(
                of: slot,
                { state in
                    defer { state = ActiveChunk.SlotState() }
                    return state
                }), old.series != SeriesIndex.none
        else { return }
        // If the chunk was full when the series was created, it begins in the next one, which must not be reused.
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

    /// A slot without samples in the next chunk.
    func takeSlot() throws(StoreError) -> RingSlot {
        if let spare = spareSlots.popLast() { return spare }
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

    /// The writer's state of `slot`; `nil` if the slot does not exist.
    @discardableResult
    func withState<Result>(of slot: RingSlot, _ body: (inout ActiveChunk.SlotState) -> Result) -> Result? {
        guard let active, slot.block < active.blockCount else { return nil }
        let block = unsafe active.blocks[slot.block]
        guard unsafe slot.column < block.width else { return nil }
        return unsafe body(&block.states[slot.column])
    }
}
