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
/// | `/`, `/api/…` | `200` after a few milliseconds, changed by the misbehaviour |
/// | `/health`, `/healthz`, `/ready` | `200` |
/// | `/metrics` | Prometheus text |
/// | `POST /misbehave?mode=MODE` | switches to a ``Misbehaviour`` |
///
/// Every response has the header `X-Constitutional-Hash`.
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
        /// Every request takes 20 ms longer.
        case slow
        /// One request in twenty takes six seconds.
        case stall
        /// Its metrics and health checks answer 503; requests are served.
        case down
        /// Its cache misses four of ten times.
        case cache
        /// It meets one of its principles in 85 % of its decisions.
        case principle
        /// It reports a processor at its limit.
        case cpu
        /// It reports a memory at its limit.
        case memory
        /// It reports an accelerator at its limit.
        case gpu
        /// It reports a network at its limit.
        case network
        /// One of a hundred tokens is refused.
        case jwt
        /// One of a hundred inferences fails.
        case inference
        /// Its special validation and the qualities that its plan asks for fail.
        case quality
        /// Its agents coordinate badly.
        case coordination
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
    private let cacheHitRate: Gauge
    /// Metrics of a service of the ACGS platform; `nil` for the service of the demo.
    private let platform: PlatformMetrics?

    /// A service named `name`; `version` is `blue` or `green`.
    ///
    /// - Parameter isPlatform: whether it has the metrics of a service of the ACGS platform.
    init(name: String, version: String, hash: String, isPlatform: Bool = false) {
        self.name = name
        self.version = version
        self.hash = hash
        durations = registry.histogram(
            "acgs_request_duration_seconds", "Time to answer a request.", labels: ["service": name],
            bounds: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10])
        score = registry.gauge(
            "acgs_constitutional_compliance_score", "Share of decisions that comply.", labels: ["service": name])
        complianceRate = registry.gauge(
            "acgs_constitutional_compliance_rate", "Share of principles that are met.", labels: ["service": name])
        cacheHitRate = registry.gauge(
            "acgs_cache_hit_rate", "Share of look-ups answered from the cache.", labels: ["service": name])
        platform = isPlatform ? PlatformMetrics(service: name, in: registry) : nil
        for status in ["200", "500"] { _ = requests(status) }
        set(.none)
    }

    /// Starts serving on `port` of `address`; 0 for any free port.
    func serve(address: String, port: Int) throws(HTTPServerError) -> HTTPServer {
        var configuration = HTTPServerConfiguration(address: address, port: port)
        configuration.workers = platform == nil ? 32 : 48
        return try HTTPServer(configuration) { self.answer($0) }
    }

    private func answer(_ request: HTTPServerRequest) -> HTTPServerResponse {
        let mode = mode.withLock { $0 }
        var response = respond(to: request, mode)
        // A service that does not work serves requests that were on their way, as in a crash loop behind a balancer.
        if mode == .down, request.path == "/metrics" || Self.healthPaths.contains(request.path) {
            response = .text("down\n", status: 503)
        }
        response.headers.append(("X-Constitutional-Hash", mode == .hash ? String(hash.reversed()) : hash))
        platform?.answered(bytes: request.body.count + response.body.count)
        return response
    }

    private static let healthPaths: Set = ["/health", "/healthz", "/ready"]

    private func respond(to request: HTTPServerRequest, _ mode: Misbehaviour) -> HTTPServerResponse {
        switch (request.method, request.path) {
        case (_, let path) where Self.healthPaths.contains(path): return .text("ok\n")
        case (_, "/metrics"): return metrics()
        case ("POST", "/misbehave"):
            let wanted = request.query.first { $0.name == "mode" }?.value ?? ""
            guard let mode = Misbehaviour(rawValue: wanted) else {
                let known = Misbehaviour.allCases.map(\.rawValue).joined(separator: ", ")
                return .text("mode must be one of \(known)\n", status: 400)
            }
            set(mode)
            return .text("\(mode.rawValue)\n")
        case (_, let path) where path == "/" || path.hasPrefix("/api/"): return work(mode)
        default: return .text("not found\n", status: 404)
        }
    }

    private func work(_ mode: Misbehaviour) -> HTTPServerResponse {
        let started = SystemClock.monotonicNanoseconds()
        let number = requestNumber.wrappingAdd(1, ordering: .relaxed).newValue
        platform?.began()
        usleep(microseconds(of: number, mode))
        let failed = mode == .errors && number % 10 == 0
        requests(failed ? "500" : "200").add()
        let seconds = Double(SystemClock.monotonicNanoseconds() - started) / 1e9
        durations.observe(seconds)
        platform?.ended(number, seconds: seconds, mode)
        let body: JSON = ["service": .string(name), "version": .string(version), "request": .integer(Int64(number))]
        return HTTPServerResponse(
            status: failed ? 500 : 200, headers: [("Content-Type", "application/json"), ("X-Version", version)],
            body: Array((body.encoded + "\n").utf8))
    }

    /// How long a request takes.
    private func microseconds(of number: Int, _ mode: Misbehaviour) -> UInt32 {
        switch mode {
        case .latency where number % 5 == 0: 3_000_000
        case .stall where number % 20 == 0: 6_000_000
        case .slow: 20_000
        case _ where platform != nil: UInt32.random(in: 200...1500)
        case _: UInt32.random(in: 500...4000)
        }
    }

    private func requests(_ status: String) -> Counter {
        registry.counter(
            "http_requests_total", "Requests answered.", labels: ["service": name, "status": status])
    }

    private func set(_ mode: Misbehaviour) {
        self.mode.withLock { $0 = mode }
        score.set(mode == .compliance ? 0.8 : 0.99)
        complianceRate.set(mode == .compliance ? 0.8 : 1)
        cacheHitRate.set(mode == .cache ? 0.6 : 0.93)
        platform?.set(mode)
    }

    private func metrics() -> HTTPServerResponse {
        var writer = ExpositionWriter(.text)
        writer.write(registry.snapshot())
        return HTTPServerResponse(
            status: 200,
            headers: [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")], body: writer.finish())
    }
}
