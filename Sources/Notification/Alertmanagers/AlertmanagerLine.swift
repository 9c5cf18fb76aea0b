internal import CurlHTTP
internal import Instrumentation
internal import JSON
internal import MetricModel
internal import RuleModel
internal import Runtime
internal import Synchronization

/// The connection to one Alertmanager: the shell around ``AlertmanagerQueue``, with one thread.
final class AlertmanagerLine: Sendable {
    let url: String
    /// The server and its client settings. May change while the line runs.
    let server: Mutex<AlertmanagerServer>

    private let queue = Mutex(AlertmanagerQueue())
    /// Signals that alerts were added.
    private let bell = Mailbox<Void>(capacity: 1)
    private let client = HTTPClient()
    private let thread = Mutex<WorkerThread?>(nil)
    private let logger: Logger
    private let sent: Counter
    private let failed: Counter
    private let dropped: Counter
    private let waiting: Gauge
    private let latency: Histogram

    /// Starts the thread.
    init(_ server: AlertmanagerServer, logger: Logger, registry: Registry) throws(WorkerThread.StartError) {
        url = server.url
        self.server = Mutex(server)
        self.logger = logger
        let labels: KeyValuePairs = ["alertmanager": server.url]
        sent = registry.counter(
            "tribune_alertmanager_alerts_sent_total", "Alerts sent, successfully or not.", labels: labels)
        failed = registry.counter(
            "tribune_alertmanager_errors_total", "Alerts that an Alertmanager did not accept.", labels: labels)
        dropped = registry.counter(
            "tribune_alertmanager_alerts_dropped_total", "Alerts dropped before they were sent.", labels: labels)
        waiting = registry.gauge(
            "tribune_alertmanager_queue_length", "Alerts waiting to be sent to an Alertmanager.", labels: labels)
        latency = registry.histogram(
            "tribune_alertmanager_latency_seconds", "Response time of an Alertmanager.", labels: labels)
        let worker = try WorkerThread("alertmanager") { [self] in run() }
        thread.withLock { $0 = worker }
    }

    func receive(_ alerts: [Alert]) {
        guard !alerts.isEmpty else { return }
        let (lost, count) = queue.withLock { ($0.received(alerts), $0.count) }
        dropped.add(Double(lost))
        waiting.set(Double(count))
        // If the signal is already set, the thread finds these alerts too.
        bell.send(())
    }

    /// Closes the line after the current request, or after all queued alerts were sent.
    func close(abandoning: Bool) {
        if abandoning { giveUp() }
        bell.close()
    }

    func join() {
        thread.withLock { $0.take() }?.join()
    }

    private func run() {
        while case .message = bell.receive() { _ = sendAll(untilFailure: false) }
        if !sendAll(untilFailure: true) { giveUp() }
        waiting.set(0)
    }

    /// Sends one batch after the other. Returns false if it stopped because one failed.
    private func sendAll(untilFailure: Bool) -> Bool {
        while true {
            let (batch, count) = queue.withLock { ($0.nextBatch(), $0.count) }
            waiting.set(Double(count))
            if batch.isEmpty { return true }
            if !send(batch), untilFailure { return false }
        }
    }

    private func send(_ batch: [Alert]) -> Bool {
        let server = self.server.withLock { $0 }
        var request = HTTPRequest(
            method: "POST", url: server.url,
            headers: [("Content-Type", "application/json"), ("User-Agent", "Tribune")],
            body: Array(AlertmanagerPayload.body(batch).encoded.utf8), timeoutMilliseconds: server.timeout.rawValue)
        request.maximumBodyBytes = 64 << 10
        let started = SystemClock.monotonicNanoseconds()
        let result: Result<HTTPResponse, HTTPFailure>
        do throws(HTTPFailure) {
            try server.prepare(&request)
            result = .success(try client.send(request))
        } catch {
            result = .failure(error)
        }
        latency.observe(Double(SystemClock.monotonicNanoseconds() - started) / 1e9)
        sent.add(Double(batch.count))
        let reason: String
        switch result {
        case .success(let response) where (200..<300).contains(response.status): return true
        case .success(let response): reason = "status \(response.status)"
        case .failure(let failure): reason = failure.message
        }
        failed.add(Double(batch.count))
        logger.warn("alerts not sent", ["url": url, "alerts": batch.count, "error": reason])
        return false
    }

    private func giveUp() {
        dropped.add(Double(queue.withLock { $0.abandoned() }))
    }
}
