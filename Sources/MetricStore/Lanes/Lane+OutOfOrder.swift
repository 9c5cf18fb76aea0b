internal import MetricModel
internal import Synchronization

/// Samples that are older than the newest one of their series, on their way into the store.
///
/// They go to a second lane of the same writer, whose series may have their samples in any order. Readers merge the
/// samples of all lanes of a series, so they need to know nothing about it. The lane is created with the first such
/// sample, and restored, expired and closed like every other.
struct OutOfOrderSamples {
    struct Sample {
        var slot: RingSlot
        var time: Int64
        var value: StoredValue
    }

    /// `nil` until the first sample.
    var lane: Lane?
    /// The slots in `lane` of the writer's slots.
    var slots: [RingSlot: RingSlot] = [:]
    /// The samples of the append in progress.
    var pending: [Sample] = []
}

extension StoreCore {
    /// Whether to store a sample that is older than the newest one of its series, and the answer if not.
    ///
    /// As in Prometheus, its age is the distance to the newest sample of the whole store.
    func refusal(ofOutOfOrder time: Int64) -> AppendOutcome? {
        let window = outOfOrderWindow.load(ordering: .relaxed)
        guard window > 0 else { return .outOfOrder }
        let oldest = newestTime.load(ordering: .relaxed).subtractingReportingOverflow(window)
        return oldest.overflow || time >= oldest.partialValue ? nil : .tooOld
    }
}

extension Lane {
    /// The prefix of the names of lanes for out-of-order samples. Other lanes have no such names.
    static let outOfOrderPrefix = "out-of-order "

    /// Whether the series of `slot` has a newer sample.
    func isOutOfOrder(_ slot: RingSlot, _ time: Int64) -> Bool {
        state(of: slot, for: time).map { time < $0.newest } ?? false
    }

    /// Keeps a sample for ``publishOutOfOrder()``.
    func appendOutOfOrder(
        _ slot: RingSlot, _ value: StoredValue, at time: Int64, _ series: UInt32
    ) -> AppendOutcome {
        do throws(StoreError) {
            let lane = try outOfOrderLane()
            if outOfOrder.slots[slot] == nil {
                let labels = core.catalog.read { $0.index.labels(of: series) }
                outOfOrder.slots[slot] = try lane.slot(for: labels)
            }
        } catch {
            return .unknownSlot
        }
        guard let own = outOfOrder.slots[slot] else { return .unknownSlot }
        outOfOrder.pending.append(OutOfOrderSamples.Sample(slot: own, time: time, value: value))
        return .appendedOutOfOrder
    }

    private func outOfOrderLane() throws(StoreError) -> Lane {
        if let lane = outOfOrder.lane { return lane }
        let lane = try core.openLane(Self.outOfOrderPrefix + name)
        lane.takesAnyOrder = true
        outOfOrder.lane = lane
        return lane
    }

    /// Makes the out-of-order samples of the append visible, time by time, so that each time is one row.
    func publishOutOfOrder() throws(StoreError) {
        guard let lane = outOfOrder.lane, !outOfOrder.pending.isEmpty else { return }
        let samples = outOfOrder.pending
        outOfOrder.pending = []
        let order = samples.indices.sorted { (samples[$0].time, $0) < (samples[$1].time, $1) }
        var rest = order[...]
        while let first = rest.first {
            let row = rest.prefix { samples[$0].time == samples[first].time }
            rest = rest.dropFirst(row.count)
            var appender = lane.beginAppend(at: Timestamp(milliseconds: samples[first].time))
            var count: UInt64 = 0
            for index in row {
                let outcome =
                    switch samples[index].value {
                    case .float(let value): appender.append(samples[index].slot, value)
                    case .histogram(let histogram): appender.append(samples[index].slot, histogram: histogram)
                    }
                if outcome == .appended { count += 1 }
            }
            try appender.commit()
            core.outOfOrderSamples.wrappingAdd(count, ordering: .relaxed)
        }
    }

    /// Ends a retired slot's series in the second lane, too.
    func retireOutOfOrder(_ slot: RingSlot) {
        guard let own = outOfOrder.slots.removeValue(forKey: slot) else { return }
        outOfOrder.lane?.retire(own)
    }

    /// Closes the second lane. Its samples stay.
    func closeOutOfOrder() {
        outOfOrder.lane?.close()
        outOfOrder = OutOfOrderSamples()
    }
}
