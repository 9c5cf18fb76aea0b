internal import Exposition
internal import Glibc
internal import Instrumentation
internal import JSON
internal import Runtime
internal import Synchronization
internal import WebServer

/// A small governed service for the demo and the tests: it serves requests, exposes its metrics, and misbehaves on
/// request.
///
/// | path | response |
/// |---|---|
/// | `/` | `200` after a few milliseconds, changed by the misbehaviour |
/// | `/healthz` | `200` |
/// | `/metrics` | Prometheus text, with the header `X-Constitutional-Hash` |
/// | `POST /misbehave?mode=MODE` | switches to `none`, `hash`, `compliance`, `latency` or `errors` |
final class DemoService: Sendable {
    /// The kind of misbehaviour.
    enum Misbehaviour: String, CaseIterable, Sendable {
        case none
        /// It exposes another constitution hash.
        case hash
        /// Its compliance score drops to 0.80.
        case compliance
        /// One request in five takes three seconds.
        case latency
        /// One request in ten fails.
        case errors
    }

    private let name: String
    private let version: String
    private let hash: String
    private let mode = Mutex(Misbehaviour.none)
    private let requestNumber = Atomic<Int>(0)
    private let registry = Registry()
    private let durations: Histogram
    private let score: Gauge
    private let complianceRate: Gauge

    /// A service named `name`; `version` is `blue` or `green`.
    init(name: String, version: String, hash: String) {
        self.name = name
        self.version = version
        self.hash = hash
        durations = registry.histogram(
            "acgs_request_duration_seconds", "Time to answer a request.", labels: ["service": name],
            bounds: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5])
        score = registry.gauge(
            "acgs_constitutional_compliance_score", "Share of decisions that comply.", labels: ["service": name])
        complianceRate = registry.gauge(
            "acgs_constitutional_compliance_rate", "Share of principles that are met.", labels: ["service": name])
        registry.gauge("acgs_cache_hit_rate", "Share of look-ups answered from the cache.", labels: ["service": name])
            .set(0.93)
        for status in ["200", "500"] { _ = requests(status) }
        set(.none)
    }

    /// Starts serving on `port` of `address`; 0 for any free port.
    func serve(address: String, port: Int) throws(HTTPServerError) -> HTTPServer {
        var configuration = HTTPServerConfiguration(address: address, port: port)
        configuration.workers = 32
        return try HTTPServer(configuration) { self.answer($0) }
    }

    private func answer(_ request: HTTPServerRequest) -> HTTPServerResponse {
        switch (request.method, request.path) {
        case (_, "/healthz"): return .text("ok\n")
        case (_, "/metrics"): return metrics()
        case ("POST", "/misbehave"):
            let wanted = request.query.first { $0.name == "mode" }?.value ?? ""
            guard let mode = Misbehaviour(rawValue: wanted) else {
                let known = Misbehaviour.allCases.map(\.rawValue).joined(separator: ", ")
                return .text("mode must be one of \(known)\n", status: 400)
            }
            set(mode)
            return .text("\(mode.rawValue)\n")
        case (_, "/"): return work()
        default: return .text("not found\n", status: 404)
        }
    }

    private func work() -> HTTPServerResponse {
        let started = SystemClock.monotonicNanoseconds()
        let number = requestNumber.wrappingAdd(1, ordering: .relaxed).newValue
        let mode = mode.withLock { $0 }
        let isSlow = mode == .latency && number % 5 == 0
        usleep(isSlow ? 3_000_000 : UInt32.random(in: 500...4000))
        let failed = mode == .errors && number % 10 == 0
        requests(failed ? "500" : "200").add()
        durations.observe(Double(SystemClock.monotonicNanoseconds() - started) / 1e9)
        let body: JSON = ["service": .string(name), "version": .string(version), "request": .integer(Int64(number))]
        return HTTPServerResponse(
            status: failed ? 500 : 200, headers: [("Content-Type", "application/json"), ("X-Version", version)],
            body: Array((body.encoded + "\n").utf8))
    }

    private func requests(_ status: String) -> Counter {
        registry.counter(
            "http_requests_total", "Requests answered.", labels: ["service": name, "status": status])
    }

    private func set(_ mode: Misbehaviour) {
        self.mode.withLock { $0 = mode }
        score.set(mode == .compliance ? 0.8 : 0.99)
        complianceRate.set(mode == .compliance ? 0.8 : 1)
    }

    private func metrics() -> HTTPServerResponse {
        let claimed = mode.withLock { $0 } == .hash ? String(hash.reversed()) : hash
        var writer = ExpositionWriter(.text)
        writer.write(registry.snapshot())
        return HTTPServerResponse(
            status: 200,
            headers: [
                ("Content-Type", "text/plain; version=0.0.4; charset=utf-8"), ("X-Constitutional-Hash", claimed),
            ], body: writer.finish())
    }
}
