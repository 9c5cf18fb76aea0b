internal import Instrumentation
public import MetricModel

/// The exemplars of one series.
public struct SeriesExemplars: Equatable, Sendable {
    /// The series.
    public var labels: Labels
    /// Its exemplars, sorted by time. Each has a time.
    public var exemplars: [Exemplar]
}

extension MetricStore {
    /// The exemplars in `from...through` of the series that match any of the matcher lists, sorted by series.
    ///
    /// - Complexity: O(series with exemplars + exemplars), bounded by `StoreConfiguration.maximumExemplars`.
    public func exemplars(
        matching lists: [[Matcher]], from: Timestamp, through: Timestamp
    ) throws(SelectError) -> [SeriesExemplars] {
        var compiled: [[CompiledMatcher]] = []
        for matchers in lists {
            var list: [CompiledMatcher] = []
            for matcher in matchers { list.append(try CompiledMatcher(matcher)) }
            compiled.append(list)
        }
        return core.exemplars.select(from: from, through: through) { labels in
            compiled.contains { $0.allSatisfy { $0.accepts(labels[$0.name] ?? "") } }
        }.map { SeriesExemplars(labels: $0.labels, exemplars: $0.exemplars) }
    }

    /// Adds exemplars of series by their labels. `time` is the time of exemplars without one.
    ///
    /// - Returns: the result for each of them.
    @discardableResult
    public func append(
        exemplars: [(labels: Labels, exemplar: Exemplar)], at time: Timestamp
    ) -> [ExemplarOutcome] {
        exemplars.isEmpty ? [] : core.exemplars.append(exemplars, at: time)
    }

    /// Sets the maximum number of exemplars. If there are more, the oldest are dropped.
    public func keepExemplars(_ count: Int) {
        core.exemplars.resize(to: count)
    }

    /// Exports figures about exemplars in every snapshot of `registry`.
    func registerExemplars(in registry: Registry) {
        let count = registry.gauge("tribune_store_exemplars", "Exemplars in the store.")
        let series = registry.gauge("tribune_store_exemplar_series", "Series with exemplars in the store.")
        let bytes = registry.gauge("tribune_store_exemplar_bytes", "Approximate size of the exemplars, in bytes.")
        let appended = registry.counter("tribune_store_exemplars_appended_total", "Exemplars that were stored.")
        let help = "Exemplars that were not stored, by reason."
        let outOfOrder = registry.counter(
            "tribune_store_exemplars_refused_total", help, labels: ["reason": "out_of_order"])
        let tooLong = registry.counter("tribune_store_exemplars_refused_total", help, labels: ["reason": "too_long"])
        registry.onSnapshot { [weak self] in
            guard let figures = self?.core.exemplars.figures else { return }
            count.set(Double(figures.count))
            series.set(Double(figures.seriesCount))
            bytes.set(Double(figures.byteCount))
            appended.raise(to: Double(figures.appended))
            outOfOrder.raise(to: Double(figures.outOfOrder))
            tooLong.raise(to: Double(figures.tooLong))
        }
    }
}

extension Lane {
    /// Adds exemplars of series of this lane. `time` is the time of exemplars without one. Called by the writer.
    ///
    /// - Returns: the result for each of them; ``ExemplarOutcome/disabled`` if the slot has no series.
    @discardableResult
    public func append(
        exemplars: [(slot: RingSlot, exemplar: Exemplar)], at time: Timestamp
    ) -> [ExemplarOutcome] {
        let named = core.catalog.read { catalog in
            exemplars.map { slot, exemplar in
                let series = withState(of: slot) { $0.series } ?? SeriesIndex.none
                return (labels: series == SeriesIndex.none ? Labels.empty : catalog.index.labels(of: series), exemplar)
            }
        }
        return core.exemplars.append(named, at: time)
    }
}

/// An exemplar with the labels of its series. A value.
public struct StoredExemplar: Equatable, Sendable {
    /// The labels of the series.
    public var series: Labels
    /// The exemplar, with a time.
    public var exemplar: Exemplar
}

extension MetricStore {
    /// The exemplars that were added since `taken` of them were, and are still in memory, in order; `nil` if there are
    /// none. Counting starts with those that the start restored.
    ///
    /// - Returns: also the number of all until now, for the next call.
    public func exemplars(since taken: UInt64) -> (exemplars: [StoredExemplar], taken: UInt64)? {
        guard let news = core.exemplars.news(since: taken, withAll: false) else { return nil }
        return (news.records.map { StoredExemplar(series: $0.series, exemplar: $0.exemplar) }, news.taken)
    }
}
