internal import Instrumentation
internal import MetricModel
internal import Synchronization

extension MetricStore {
    /// Statistics with the ten largest entries of each list.
    public var statistics: StoreStatistics { statistics(top: 10) }

    /// Statistics with the `limit` largest entries of each list. Reads every label pair.
    public func statistics(top limit: Int) -> StoreStatistics {
        var result = figures()
        core.catalog.read { catalog in
            let pairs = catalog.index.pairs
            result.labelPairCount = pairs.count
            var metrics = TopEntries(limit)
            var allPairs = TopEntries(limit)
            var valueCounts = TopEntries(limit)
            var bytes = TopEntries(limit)
            for (name, own) in pairs.byName {
                let text = pairs.symbols[name]
                valueCounts.add(UInt64(own.count)) { text }
                bytes.add(UInt64(own.reduce(0) { $0 + pairs.valueText($1).utf8.count })) { text }
                for pair in own {
                    let count = UInt64(pairs.series(pair).count)
                    allPairs.add(count) { "\(text)=\(pairs.valueText(pair))" }
                    if ByteOrder.equal(text, Labels.metricName) { metrics.add(count) { pairs.valueText(pair) } }
                }
            }
            result.seriesCountByMetricName = metrics.entries
            result.valueCountByLabelName = valueCounts.entries
            result.bytesByLabelName = bytes.entries
            result.seriesCountByLabelPair = allPairs.entries
        }
        return result
    }

    /// The statistics that are cheap to compute.
    func figures() -> StoreStatistics {
        var result = StoreStatistics()
        let blocks = core.blocks.pin()
        result.sampleBytes = core.segments.byteCount + blocks.byteCount
        result.sampleCount = core.segments.sampleCount + blocks.sampleCount
        var range = core.segments.timeRange
        if let own = blocks.timeRange {
            range = min(range?.lowerBound ?? .max, own.lowerBound)...max(range?.upperBound ?? .min, own.upperBound)
        }
        core.catalog.read { catalog in
            result.seriesCount = catalog.index.count
            result.laneCount = catalog.lanes.count
            for lane in catalog.lanes.values {
                guard let active = lane.active else { continue }
                result.sampleBytes += active.byteCount
                if let own = active.timeRange {
                    range =
                        min(range?.lowerBound ?? .max, own.lowerBound)...max(range?.upperBound ?? .min, own.upperBound)
                }
            }
        }
        result.timeRange = range.map {
            Timestamp(milliseconds: $0.lowerBound)...Timestamp(milliseconds: $0.upperBound)
        }
        return result
    }

    /// Exports the cheap statistics in every snapshot of `registry`.
    func register(in registry: Registry) {
        let series = registry.gauge("tribune_store_series", "Series in the store.")
        let lanes = registry.gauge("tribune_store_lanes", "Writers whose samples are in the store.")
        let samples = registry.gauge("tribune_store_sealed_samples", "Samples in sealed chunks and blocks.")
        let bytes = registry.gauge("tribune_store_sample_bytes", "Size of the samples, in bytes.")
        let oldest = registry.gauge("tribune_store_oldest_timestamp_seconds", "Time of the oldest sample kept.")
        let newest = registry.gauge("tribune_store_newest_timestamp_seconds", "Time of the newest sample.")
        let blocks = registry.gauge("tribune_store_blocks", "Files of samples that are stored series by series.")
        let blockBytes = registry.gauge("tribune_store_block_bytes", "Size of the blocks, in bytes.")
        let blockSamples = registry.gauge("tribune_store_block_samples", "Samples in blocks.")
        let written = registry.counter("tribune_store_blocks_written_total", "Blocks that compaction has written.")
        let failures = registry.counter(
            "tribune_store_failed_compactions_total",
            "Compactions that ended because a file could not be read or written. They are tried again.")
        let damaged = registry.counter(
            "tribune_store_damaged_block_parts_total",
            "Parts of blocks that could not be read or had a wrong checksum, and whose samples are lost.")
        let failedSeals = registry.counter(
            "tribune_store_failed_seals_total",
            "Failed attempts to seal a chunk. Until one succeeds, its lane rejects samples."
        )
        let outOfOrder = registry.counter(
            "tribune_store_out_of_order_samples_total",
            "Samples that were stored although their series had a newer one."
        )
        registry.onSnapshot { [weak self] in
            guard let self else { return }
            let figures = self.figures()
            series.set(Double(figures.seriesCount))
            lanes.set(Double(figures.laneCount))
            samples.set(Double(figures.sampleCount))
            bytes.set(Double(figures.sampleBytes))
            oldest.set(figures.timeRange?.lowerBound.seconds ?? 0)
            newest.set(figures.timeRange?.upperBound.seconds ?? 0)
            let list = self.core.blocks.pin()
            blocks.set(Double(list.blocks.count))
            blockBytes.set(Double(list.byteCount))
            blockSamples.set(Double(list.sampleCount))
            written.raise(to: Double(self.core.blocks.written.load(ordering: .relaxed)))
            failures.raise(to: Double(self.core.blocks.failures.load(ordering: .relaxed)))
            damaged.raise(to: Double(self.core.blocks.damagedParts))
            outOfOrder.raise(to: Double(self.core.outOfOrderSamples.load(ordering: .relaxed)))
            failedSeals.raise(to: Double(self.core.failedSeals.load(ordering: .relaxed)))
        }
    }
}

/// The entries with the largest values so far. Texts are created only for those.
private struct TopEntries {
    private let limit: Int
    private(set) var entries: [StoreStatistics.Entry] = []

    init(_ limit: Int) {
        self.limit = limit
    }

    mutating func add(_ value: UInt64, _ name: () -> String) {
        if entries.count >= limit, value <= entries.last?.value ?? .max { return }
        let position = entries.firstIndex { $0.value < value } ?? entries.count
        entries.insert(.init(name: name(), value: value), at: position)
        if entries.count > limit { entries.removeLast() }
    }
}
