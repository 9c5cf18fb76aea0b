internal import ConfigurationFields
internal import CurlHTTP
internal import MetricModel
internal import Synchronization

extension ScrapeRunner {
    /// Carries out the actions of a loop from a thread other than the target's own.
    func post(_ actions: [ScrapeLoop.Action], _ target: RunningTarget) {
        for action in actions {
            switch action {
            case .wake(let time, let timer):
                target.home.post(ScrapeInbox.Wake(target: target, timer: timer, deadline: time.monotonicDeadline))
            case .scrape, .endSeries: preconditionFailure("timers fire on the target's own thread")
            }
        }
    }

    /// The request for a target's next scrape, and the length of its last body.
    func request(
        _ target: RunningTarget, timeout: Milliseconds
    ) throws(HTTPFailure) -> (PreparedRequest, bodyBytes: Int) {
        let (pool, native, known, bodyBytes) = target.state.withLock {
            ($0.pool, $0.target.histograms.scrapesNative, $0.request, $0.bodyBytes)
        }
        if let refusal = pool.refusal { throw HTTPFailure(.badRequest, refusal) }
        if let known { return (known, bodyBytes) }
        let accept = pool.pool.acceptHeader(protobufFirst: native || settings.zeroesStarts)
        let request = try PreparedRequest(
            request(pool.pool, url: target.identity.url, accept: accept, timeout: timeout))
        if pool.pool.http.isConstant { target.state.withLock { $0.request = request } }
        return (request, bodyBytes)
    }

    private func request(
        _ pool: ScrapePool, url: String, accept: String, timeout: Milliseconds
    ) throws(HTTPFailure) -> HTTPRequest {
        var request = HTTPRequest(url: url, timeoutMilliseconds: timeout.rawValue)
        request.headers = [
            ("Accept", accept), ("User-Agent", settings.userAgent),
            ("X-Prometheus-Scrape-Timeout-Seconds", FloatText.plain(timeout.seconds)),
        ]
        if pool.asksForCompression { request.headers.append(("Accept-Encoding", "gzip")) }
        request.maximumBodyBytes = bodyLimit(pool)
        try pool.http.apply(to: &request, waits: false)
        return request
    }

    /// The body size limit for a pool's targets, compressed or not.
    func bodyLimit(_ pool: ScrapePool) -> Int {
        pool.limits.bodyBytes > 0 ? min(pool.limits.bodyBytes, settings.maximumBodyBytes) : settings.maximumBodyBytes
    }
}
