internal import CurlHTTP
internal import Exposition
internal import Instrumentation
internal import MetricModel
internal import MetricStore
internal import Runtime
internal import Synchronization
internal import Zlib

extension ScrapeRunner {
    /// Does what a loop asks for.
    func run(_ actions: [ScrapeLoop.Action], _ target: RunningTarget) {
        for action in actions {
            switch action {
            case .wake(let time, let timer):
                let now = SystemClock.wallNanoseconds()
                // Up to the due millisecond and not beyond it: the rest of this one is taken off.
                let deadline = SystemClock.monotonicNanoseconds(in: time.milliseconds - now / 1_000_000)
                commands.send(.wake(target, timer: timer, deadline: deadline - now % 1_000_000))
            case .scrape(let time, let timeout): scrape(target, at: time, timeout: timeout)
            case .endSeries(let time): work.send(.end(target, at: time))
            }
        }
    }

    private func scrape(_ target: RunningTarget, at time: Timestamp, timeout: Milliseconds) {
        let began = SystemClock.monotonicNanoseconds()
        metrics.lateness.observe(max(0, (Timestamp.now - time).seconds))
        let (pool, url, bodyBytes) = target.state.withLock { ($0.pool, $0.target.identity.url, $0.bodyBytes) }
        do throws(HTTPFailure) {
            if let refusal = pool.refusal { throw HTTPFailure(.badRequest, refusal) }
            let request = try request(pool.pool, url: url, timeout: timeout, bodyBytes: bodyBytes)
            multiplexer.send(request) { [work, slowWork] result in
                let isLarge = if case .success(let answer) = result { answer.body.count > 8 << 20 } else { false }
                let isSlow = isLarge || target.state.withLock { $0.isSlow }
                (isSlow ? slowWork : work).send(.scraped(target, result, at: time, began: began))
            }
        } catch {
            work.send(.scraped(target, .failure(error), at: time, began: began))
        }
    }

    private func request(
        _ pool: ScrapePool, url: String, timeout: Milliseconds, bodyBytes: Int
    ) throws(HTTPFailure) -> HTTPRequest {
        var request = HTTPRequest(url: url, timeoutMilliseconds: timeout.rawValue)
        request.headers = [
            ("Accept", pool.acceptHeader), ("User-Agent", settings.userAgent),
            ("X-Prometheus-Scrape-Timeout-Seconds", FloatText.plain(timeout.seconds)),
        ]
        if pool.asksForCompression { request.headers.append(("Accept-Encoding", "gzip")) }
        request.maximumBodyBytes = bodyLimit(pool)
        request.expectedBodyBytes = bodyBytes + bodyBytes / 32 + ExpositionBody.padding
        try pool.http.apply(to: &request)
        return request
    }

    private func bodyLimit(_ pool: ScrapePool) -> Int {
        pool.limits.bodyBytes > 0 ? min(pool.limits.bodyBytes, settings.maximumBodyBytes) : settings.maximumBodyBytes
    }

    /// A worker thread: writes what came until `work` is closed.
    func run(_ work: Mailbox<Work>) {
        while case .message(let item) = work.receive() {
            // What is cut off by stopping says nothing about the target.
            if isStopping.load(ordering: .acquiring) { continue }
            switch item {
            case .scraped(let target, let result, let time, let began): write(target, result, at: time, began: began)
            case .end(let target, let time): end(target, at: time)
            }
        }
    }

    private func write(
        _ target: RunningTarget, _ result: Result<HTTPResponse, HTTPFailure>, at time: Timestamp, began: Int64
    ) {
        let taken = SystemClock.monotonicNanoseconds()
        let (pool, labels) = target.state.withLock { ($0.pool, $0.target.labels) }
        let fetched = fetched(result, pool.pool)
        let bodyBytes = (try? fetched.get().body.count) ?? 0
        metrics.bodyBytes.add(Double(bodyBytes))
        var lastError = ""
        var committed: LaneID?
        do throws(StoreError) {
            let (outcome, lane) = try target.writer.withLock { writer throws(StoreError) in
                let outcome = try writer.write(fetched, at: time, rules: pool.rules(for: labels)) {
                    Double(SystemClock.monotonicNanoseconds() - began) / 1e9
                }
                return (outcome, writer.laneID)
            }
            committed = lane
            metrics.samples.add(Double(outcome.scraped))
            metrics.refusedSamples.add(Double(outcome.refused))
            lastError = outcome.failure?.description ?? ""
        } catch {
            lastError = "cannot store the scrape: \(error)"
            logger.error("cannot store a scrape", ["target": target.identity.url, "reason": error.description])
        }
        let ended = SystemClock.monotonicNanoseconds()
        if let committed { onCommit(committed, time, ended) }
        let duration = Double(ended - began) / 1e9
        (lastError.isEmpty ? metrics.succeeded : metrics.failed).add()
        if !lastError.isEmpty {
            logger.debug("scrape failed", ["target": target.identity.url, "reason": lastError])
        }
        metrics.duration.observe(duration)
        let actions = target.state.withLock { state in
            state.health = lastError.isEmpty ? .up : .down
            state.lastError = lastError
            state.lastScrape = time
            state.lastDuration = duration
            state.isSlow = ended - taken > 500_000_000
            if bodyBytes > 0 { state.bodyBytes = bodyBytes }
            return state.loop.scrapeEnded(at: .now)
        }
        run(actions, target)
    }

    private func end(_ target: RunningTarget, at time: Timestamp) {
        do throws(StoreError) {
            try target.writer.withLock { writer throws(StoreError) in try writer.end(at: time) }
        } catch {
            logger.error("cannot end series", ["target": target.identity.url, "reason": error.description])
        }
        commands.send(.ended(target))
    }

    /// The body of an answer, if it is one to parse.
    private func fetched(
        _ result: Result<HTTPResponse, HTTPFailure>, _ pool: ScrapePool
    ) -> Result<TargetWriter.Fetched, ScrapeFailure> {
        do throws(ScrapeFailure) {
            let response: HTTPResponse
            switch result {
            case .success(let answer): response = answer
            case .failure(let failure): throw ScrapeFailure(failure.message)
            }
            guard response.status == 200 else { throw ScrapeFailure("server returned HTTP status \(response.status)") }
            let choice = ContentType.choose(response["Content-Type"], fallback: pool.fallback)
            guard let format = choice.format else { throw ScrapeFailure(choice.message) }
            let body = try decoded(response, limit: bodyLimit(pool))
            return .success(
                TargetWriter.Fetched(
                    body: ExpositionBody(body), format: format, constitutionalHash: response[ConstitutionCheck.header]))
        } catch {
            return .failure(error)
        }
    }

    private func decoded(_ response: HTTPResponse, limit: Int) throws(ScrapeFailure) -> [UInt8] {
        switch response["Content-Encoding"]?.lowercased() {
        case nil, "", "identity": return response.body
        case "gzip", "x-gzip":
            do throws(DecompressionError) {
                return try Zlib.decompress(response.body, limit: limit, reserve: ExpositionBody.padding)
            } catch {
                throw ScrapeFailure(error.description)
            }
        case let other?: throw ScrapeFailure("unsupported Content-Encoding \"\(other)\"")
        }
    }
}
