import CurlHTTP
import Instrumentation
import JSON
import MetricModel
import MetricStore
import Testing
import WebServer

@testable import Exporter

/// An exporter behind a real server on a free port, and a client that reads its answers.
final class ExporterFixture {
    let runner: ExporterRunner
    let store: MetricStore
    let registry = Registry()
    private let client = HTTPClient()

    init(
        _ settings: (inout ExporterSettings) -> Void = { _ in },
        sources: (inout ExporterSources) -> Void = { _ in }
    ) throws {
        store = try MetricStore(StoreConfiguration(), registry: nil)
        var chosen = ExporterSettings()
        settings(&chosen)
        var filled = ExporterSources(store: store)
        sources(&filled)
        let exporter = Exporter(sources: filled, settings: chosen, registry: registry)
        runner = try ExporterRunner(exporter, HTTPServerConfiguration())
    }

    /// An exporter without a server, for requests that are made up.
    static func exporter(sources: (inout ExporterSources) -> Void) throws -> Exporter {
        var filled = ExporterSources(store: try MetricStore(StoreConfiguration(), registry: nil))
        sources(&filled)
        return Exporter(sources: filled, settings: ExporterSettings(), registry: Registry())
    }

    deinit {
        runner.stop()
    }

    /// Appends `values` from `start` on, `step` apart, to the series `labels`; `nil` leaves a gap.
    func append(_ labels: Labels, from start: Int64 = 0, step: Int64 = 15_000, _ values: [Double?]) throws {
        let lane = try store.openLane("test \(labels) \(start)")
        let slot = try lane.slot(for: labels)
        for (index, value) in values.enumerated() {
            guard let value else { continue }
            var appender = lane.beginAppend(at: Timestamp(milliseconds: start + Int64(index) * step))
            appender.append(slot, value)
            try appender.commit()
        }
    }

    func send(
        _ target: String, method: String = "GET", headers: [(name: String, value: String)] = [], body: String = ""
    ) throws -> HTTPResponse {
        var request = HTTPRequest(url: "http://127.0.0.1:\(runner.port)\(target)")
        request.method = method
        request.headers = headers
        request.body = Array(body.utf8)
        return try client.send(request)
    }

    func text(_ target: String, headers: [(name: String, value: String)] = []) throws -> String {
        String(decoding: try send(target, headers: headers).body, as: UTF8.self)
    }

    /// The `data` of a successful answer.
    func data(_ target: String) throws -> JSON {
        let response = try send(target)
        let answer = try JSON(parsing: response.body)
        #expect(response.status == 200, "\(target): \(answer.encoded)")
        #expect(answer["status"] == "success")
        return answer["data"] ?? nil
    }

    /// Status, type and text of an error.
    func error(_ target: String) throws -> String {
        let response = try send(target)
        let answer = try JSON(parsing: response.body)
        #expect(answer["status"] == "error")
        return "\(response.status) \(answer["errorType"]?.text ?? ""): \(answer["error"]?.text ?? "")"
    }
}
