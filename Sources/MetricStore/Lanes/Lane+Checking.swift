public import MetricModel

extension Lane {
    /// The result of appending a sample: ``AppendOutcome/appended`` or ``AppendOutcome/appendedOutOfOrder`` if it would
    /// be stored, given enough memory. Called by the writer while no append is in progress.
    public func outcome(_ slot: RingSlot, _ value: Double, at time: Timestamp) -> AppendOutcome {
        outcome(slot, .float(value), time)
    }

    /// The result of appending a native histogram.
    public func outcome(_ slot: RingSlot, histogram: FloatHistogram, at time: Timestamp) -> AppendOutcome {
        outcome(slot, .histogram(histogram), time)
    }

    private func outcome(_ slot: RingSlot, _ value: StoredValue, _ time: Timestamp) -> AppendOutcome {
        guard active != nil, let state = state(of: slot, for: time.milliseconds), state.series != SeriesIndex.none
        else {
            return .unknownSlot
        }
        if let conflict = conflict(slot, value, at: time.milliseconds, state) { return conflict }
        return time.milliseconds < state.newest ? .appendedOutOfOrder : .appended
    }
}
