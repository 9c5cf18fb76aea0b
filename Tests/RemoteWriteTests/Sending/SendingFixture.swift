import Instrumentation
import MetricModel
import MetricStore
import Runtime
import Scraper
import TestSupport
import Testing

@testable import RemoteWrite

/// What the tests of sending share: stores with samples, and settings.
struct SendingFixture {
    let now = SystemClock.wallMilliseconds() / 1000 * 1000 - 60_000

    func settings(_ url: String, _ change: (inout RemoteWriteSettings) -> Void = { _ in })
        -> RemoteWriteSettings
    {
        var settings = RemoteWriteSettings(url: url)
        settings.name = "test"
        settings.queue.sendDeadline = Milliseconds(rawValue: 50)
        settings.sendsExemplars = true
        settings.sendsNativeHistograms = true
        change(&settings)
        return settings
    }

    func store(_ directory: String? = nil) throws -> MetricStore {
        var configuration = StoreConfiguration()
        configuration.directory = directory
        return try MetricStore(configuration, registry: nil)
    }

    /// Appends rows of `series` series to a lane, one second apart.
    func fill(
        _ store: MetricStore, _ name: String, labelled label: String? = nil, series: Int, rows: Range<Int>,
        spacing: Int64 = 1000
    ) throws {
        let lane = try store.openLane(name)
        let slots = try (0..<series).map {
            try lane.slot(for: Labels(metric: "sent_total", [Label("lane", label ?? name), Label("n", "\($0)")]))
        }
        for row in rows {
            var appender = lane.beginAppend(at: Timestamp(milliseconds: now + Int64(row) * spacing))
            for (index, slot) in slots.enumerated() { appender.append(slot, Double(row * 1000 + index)) }
            try appender.commit()
        }
        lane.close()
    }

    func all(_ store: MetricStore) throws -> [String: [String]] {
        let series = try store.select(
            [Matcher("__name__", .regex, ".+")], from: .distantPast, through: .distantFuture, sampleLimit: 10_000_000)
        return Dictionary(
            series.map { series in
                (
                    "\(series.labels)",
                    series.timestamps.indices.map { index in
                        let histogram = series.histograms.isEmpty ? nil : series.histograms[index]
                        return "\(series.timestamps[index]) \(histogram.map { "\($0)" } ?? "\(series.values[index])")"
                    }
                )
            }, uniquingKeysWith: { $0 + $1 })
    }

    /// Histograms with whole and other counts.
    func fillHistograms(_ store: MetricStore, rows: Range<Int> = 0..<3) throws {
        let lane = try store.openLane("histograms")
        let slot = try lane.slot(for: ["__name__": "latency"])
        for row in rows {
            var histogram = FloatHistogram()
            histogram.schema = 3
            histogram.zeroThreshold = 0.001
            histogram.zeroCount = 1
            histogram.positiveSpans = [.init(offset: -2, length: 2), .init(offset: 3, length: 1)]
            histogram.positiveBuckets = row == 2 ? [1.5, 2, 3] : [1, 4, 2]
            histogram.negativeSpans = [.init(offset: 1, length: 1)]
            histogram.negativeBuckets = [3]
            histogram.count = histogram.positiveBuckets.reduce(4, +)
            histogram.sum = 12.5
            var appender = lane.beginAppend(at: Timestamp(milliseconds: now + Int64(row) * 1000))
            appender.append(slot, histogram: histogram)
            try appender.commit()
        }
        lane.close()
    }

    /// An exemplar of the histograms.
    var exemplar: Exemplar {
        Exemplar(labels: ["trace_id": "abc"], value: 2, timestamp: Timestamp(milliseconds: now))
    }

    /// Adds it.
    func addExemplar(_ store: MetricStore) throws {
        let outcomes = store.append(
            exemplars: [(["__name__": "latency"], exemplar)], at: Timestamp(milliseconds: now))
        try #require(outcomes == [.appended])
    }

    /// Opens the store in `directory`, and closes it afterwards.
    func reopened(
        _ directory: TemporaryDirectory, window: Milliseconds = .zero, _ body: (MetricStore) throws -> Void
    ) throws {
        let source = try store(directory.file("store"))
        source.setOutOfOrderWindow(window)
        defer { source.close() }
        try body(source)
    }

    /// The sender to `entry` with its journal in `directory`, started.
    func sender(
        _ source: MetricStore, _ directory: TemporaryDirectory?, _ entry: RemoteWriteSettings, _ registry: Registry
    ) -> RemoteWriteSenders {
        let senders = RemoteWriteSenders(
            store: source, directory: directory?.file("positions"), maximumBacklog: 1 << 30, registry: registry)
        senders.reload([entry], externalLabels: [:])
        return senders
    }
}

extension Registry {
    /// The value of the first member of a family.
    func value(_ name: String) -> Double? {
        for family in snapshot() where family.name == name {
            if case .number(let value)? = family.members.first?.value { return value }
        }
        return nil
    }
}
