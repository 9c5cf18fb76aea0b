public import Instrumentation
internal import MetricModel
internal import PromQL
internal import Runtime
public import WebServer

/// Answers HTTP requests: the Prometheus API, Tribune's own, the management calls, `/metrics` and the pages.
///
/// Knows nothing of sockets and no engine: requests come in as values, state through ``ExporterSources``. Any number of
/// threads may ask at once. ``ExporterRunner`` puts it behind a server.
public final class Exporter: Sendable {
    let sources: ExporterSources
    let settings: ExporterSettings
    let registry: Registry
    let startedAt: Timestamp
    let queries: QueryGate
    let watch: ClientWatch
    let plans: PlanCache
    /// Present where remote write is enabled.
    let receiver: RemoteWriteReceiver?
    private let routes: Routes
    private let requests: RequestInstruments
    private let process: ProcessMetrics
    private let rolloutMetrics: RolloutMetrics

    /// An exporter that shows `sources` and its own `registry`.
    public init(sources: ExporterSources, settings: ExporterSettings, registry: Registry) {
        self.sources = sources
        self.settings = settings
        self.registry = registry
        startedAt = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        queries = QueryGate(limit: settings.maximumConcurrentQueries, registry: registry)
        watch = ClientWatch()
        plans = PlanCache(features: sources.features)
        PlanMetrics.show(plans, in: registry)
        receiver =
            settings.enablesRemoteWrite
            ? RemoteWriteReceiver(store: sources.store, registry: registry, zeroesStarts: settings.zeroesStarts) : nil
        routes = Routes()
        requests = RequestInstruments(registry: registry)
        process = ProcessMetrics(registry: registry, build: settings.build)
        rolloutMetrics = RolloutMetrics(registry: registry, sources: sources)
    }

    /// The answer to `request`. May block as long as a query takes.
    public func response(to request: HTTPServerRequest) -> HTTPServerResponse {
        let began = SystemClock.monotonicNanoseconds()
        guard let path = stripped(request.path), let (route, gaps) = routes.find(path) else {
            count(handler: "unknown", status: 404, since: began)
            return .text("404 page not found\n", status: 404)
        }
        let result: HTTPServerResponse
        do {
            result = try answer(request, route, gaps, .full)
        } catch {
            result = .error(error)
        }
        return finished(result, request, route, since: began)
    }

    /// The answer to `request` if it can be given without waiting and in a matter of microseconds, else `nil`: for a thread that
    /// others wait for.
    public func briefResponse(to request: HTTPServerRequest) -> HTTPServerResponse? {
        let began = SystemClock.monotonicNanoseconds()
        guard let path = stripped(request.path), let (route, gaps) = routes.find(path), route.mayBeBrief else {
            return nil
        }
        do {
            return finished(try answer(request, route, gaps, .brief), request, route, since: began)
        } catch {
            return error.kind == .deferred ? nil : finished(.error(error), request, route, since: began)
        }
    }

    private func finished(
        _ result: HTTPServerResponse, _ request: HTTPServerRequest, _ route: Route, since began: Int64
    ) -> HTTPServerResponse {
        var response = result
        addOriginHeaders(to: &response, request)
        count(handler: route.name, status: response.status, since: began)
        return response
    }

    private func answer(
        _ request: HTTPServerRequest, _ route: Route, _ gaps: [String], _ effort: EvaluationEffort
    ) throws(APIError) -> HTTPServerResponse {
        if request.method == "OPTIONS", route.name.hasPrefix("/api/") { return HTTPServerResponse(status: 204) }
        let method = request.method == "HEAD" ? "GET" : request.method
        guard route.methods.contains(method) else {
            var response = HTTPServerResponse.text(route.methodMessage ?? "Method Not Allowed\n", status: 405)
            response.headers.append(("Allow", route.methods.sorted().joined(separator: ", ") + ", OPTIONS"))
            return response
        }
        if route.needsStore, !sources.isReady() { return .notReady }
        switch route.answer {
        case .api(let call): return try envelope(APICall(request, path: gaps, effort: effort), call)
        case .plain(let respond): return respond(self)(APICall(request, path: gaps, effort: effort))
        }
    }

    /// Ends queries that are running or waiting, and refuses new ones: a stop must not wait for them.
    public func cancelQueries() {
        queries.close()
        watch.cancelAll()
    }

    /// The path without the configured prefix, or `nil` outside it.
    private func stripped(_ path: String) -> String? {
        if settings.routePrefix.isEmpty { return path }
        guard path.hasPrefix(settings.routePrefix) else { return nil }
        let rest = path.dropFirst(settings.routePrefix.count)
        return rest.isEmpty ? "/" : rest.first == "/" ? String(rest) : nil
    }

    /// What browsers need to know before they let a foreign page read an answer.
    private func addOriginHeaders(to response: inout HTTPServerResponse, _ request: HTTPServerRequest) {
        response.headers.append(("Vary", "Origin"))
        guard request.path.hasPrefix(settings.routePrefix + "/api/"), let origin = request[header: "Origin"] else {
            return
        }
        let allowed: String
        if let allows = settings.allowsOrigin {
            guard allows(origin) else { return }
            allowed = origin
        } else {
            allowed = "*"
        }
        response.headers += [
            ("Access-Control-Allow-Origin", allowed),
            ("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Origin"),
            ("Access-Control-Allow-Methods", "GET, POST, OPTIONS"), ("Access-Control-Expose-Headers", "Date"),
        ]
    }

    private func count(handler: String, status: Int, since began: Int64) {
        let seconds = Double(SystemClock.monotonicNanoseconds() - began) / 1e9
        requests.answered(handler: handler, status: status, seconds: seconds)
    }
}

extension HTTPServerResponse {
    static var notReady: HTTPServerResponse {
        var response = HTTPServerResponse.text("Service Unavailable", status: 503)
        response.headers.append(("X-Prometheus-Stopping", "false"))
        return response
    }
}
