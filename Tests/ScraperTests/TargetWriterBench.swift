import Exposition
import MetricModel
import MetricStore

@testable import Scraper

/// A lane of a store in memory and a writer for it; steps are a second apart.
final class TargetWriterBench {
    let store: MetricStore
    let writer: TargetWriter
    var pool = ScrapePool(name: "job")
    var generation = 0
    var zeroesStarts = false
    var extraTimeout: Milliseconds?
    var step: Int64 = 0

    init(hash: String? = nil, seriesCap: Int = 1000) throws {
        store = try MetricStore(StoreConfiguration(), registry: nil)
        writer = TargetWriter(lane: try store.openLane("test"), constitutionalHash: hash, seriesCap: seriesCap)
    }

    private var rules: SampleRules {
        SampleRules(
            targetLabels: ["job": "job", "instance": "i"], honorsLabels: pool.honorsLabels,
            honorsTimestamps: pool.honorsTimestamps, tracksTimestampStaleness: pool.tracksTimestampStaleness,
            relabelling: (try? Relabelling(pool.metricRelabelRules)) ?? .none, limits: pool.limits,
            histograms: pool.histograms, zeroesStarts: zeroesStarts, generation: generation,
            allowsUTF8Names: pool.names.validation == .utf8, extraTimeout: extraTimeout)
    }

    @discardableResult
    func scrape(_ body: String, header: String? = nil) throws -> TargetWriter.Outcome {
        try write(
            .success(
                TargetWriter.Fetched(
                    body: ExpositionBody(Array(body.utf8)), format: .text, constitutionalHash: header)))
    }

    @discardableResult
    func scrape(_ body: [UInt8], _ format: ExpositionFormat) throws -> TargetWriter.Outcome {
        try write(
            .success(TargetWriter.Fetched(body: ExpositionBody(body), format: format, constitutionalHash: nil)))
    }

    /// `{id="a"} 1.0@5.0`.
    func exemplars(_ name: String) throws -> [String] {
        try store.exemplars(
            matching: [[Matcher("__name__", .equal, name)]], from: .distantPast, through: .distantFuture
        ).flatMap { series in
            series.exemplars.map { "\($0.labels) \($0.value)@\($0.timestamp?.seconds ?? -1)" }
        }
    }

    @discardableResult
    func fail(isTooLong: Bool = false) throws -> TargetWriter.Outcome {
        try write(.failure(ScrapeFailure("no answer", isTooLong: isTooLong)))
    }

    private func write(_ fetched: Result<TargetWriter.Fetched, ScrapeFailure>) throws -> TargetWriter.Outcome {
        step += 1
        return try writer.write(fetched, at: Timestamp(milliseconds: step * 1000), rules: rules) { 0.25 }
    }

    func end() throws {
        step += 1
        try writer.end(at: Timestamp(milliseconds: step * 1000))
    }

    /// `1@1s stale@2s`.
    func samples(_ name: String, _ matchers: Matcher...) throws -> String {
        let found = try store.select(
            [Matcher("__name__", .equal, name)] + matchers, from: .distantPast, through: .distantFuture,
            sampleLimit: 1000)
        return found.map { series in
            zip(series.timestamps, series.values).map { time, value in
                "\(value.isStaleMarker ? "stale" : FloatText.general(value))@\(Double(time) / 1000)"
            }.joined(separator: " ")
        }.joined(separator: " | ")
    }

    func labels(_ name: String) throws -> [Labels] {
        try store.select(
            [Matcher("__name__", .equal, name)], from: .distantPast, through: .distantFuture, sampleLimit: 1000
        ).map(\.labels)
    }
}

extension RelabelRule {
    /// Drops the metric `name`.
    static func dropping(_ name: String) -> RelabelRule {
        var rule = RelabelRule()
        rule.action = .drop
        rule.sourceLabels = ["__name__"]
        rule.regex = name
        return rule
    }
}
