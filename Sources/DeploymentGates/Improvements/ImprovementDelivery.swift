internal import CurlHTTP
internal import JSON
internal import MetricModel
internal import Rollback
internal import Runtime
internal import Synchronization

/// The thread that delivers improvements to the executor, one after the other, with retries. Owned by the gate runner.
final class ImprovementDelivery: Sendable {
    private static let queueLimit = 1000

    private let executor: @Sendable () -> GateConfiguration.Executor?
    private let changed: @Sendable (Improvement) -> Void
    private let mailbox = Mailbox<Improvement>(capacity: queueLimit)
    private let withdrawn = Mutex<Set<String>>([])
    private let thread = Mutex<WorkerThread?>(nil)
    private let client = HTTPClient()

    /// - Parameter changed: called after every attempt.
    init(
        executor: @escaping @Sendable () -> GateConfiguration.Executor?,
        changed: @escaping @Sendable (Improvement) -> Void
    ) {
        self.executor = executor
        self.changed = changed
    }

    func start(_ waiting: [Improvement]) throws(WorkerThread.StartError) {
        for improvement in waiting { mailbox.send(improvement) }
        let worker = try WorkerThread("improvements") { [self] in run() }
        thread.withLock { $0 = worker }
    }

    /// Stops the thread. The next start resumes improvements that are waiting.
    func stop() {
        mailbox.close()
        thread.withLock { $0.take() }?.join()
    }

    /// Adds `improvement` to the queue. Returns false if the queue is full.
    func deliver(_ improvement: Improvement) -> Bool { mailbox.send(improvement) }

    /// The executor reported on `id`, so no further attempt is made.
    func withdraw(_ id: String) { withdrawn.withLock { _ = $0.insert(id) } }

    private func run() {
        var waiting: [Improvement] = []
        while true {
            let next = waiting.compactMap(\.retryAt).min()
            let pause = next.map { max(0, $0.milliseconds - SystemClock.wallMilliseconds()) * 1_000_000 }
            switch mailbox.receive(deadline: pause.map { SystemClock.monotonicNanoseconds() + $0 }) {
            case .message(let improvement): waiting.append(improvement)
            case .closed: return
            case .timedOut: break
            }
            let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
            let gone = withdrawn.withLock { ids in
                defer { ids = [] }
                return ids
            }
            waiting.removeAll { gone.contains($0.id) }
            for index in waiting.indices where waiting[index].retryAt.map({ $0 <= now }) ?? false {
                attempt(&waiting[index])
                changed(waiting[index])
            }
            waiting.removeAll { $0.status != .queued }
        }
    }

    private func attempt(_ improvement: inout Improvement) {
        var failure: String?
        var isLasting = false
        if let executor = executor() {
            var request = HTTPRequest(url: executor.url)
            request.method = "POST"
            request.headers = [
                ("Content-Type", "application/json"), ("Idempotency-Key", improvement.id),
            ]
            if let token = executor.token { request.authorize(credentials: token) }
            request.timeoutMilliseconds = executor.timeout.rawValue
            request.maximumBodyBytes = 1 << 20
            let body: JSON = [
                "improvement_id": .string(improvement.id), "actor": .string(improvement.actor),
                "time": .string(RFC3339.text(milliseconds: improvement.at.milliseconds)),
                "request": improvement.request,
            ]
            request.body = Array(body.encoded.utf8)
            do throws(HTTPFailure) {
                let response = try client.send(request)
                if !(200..<300).contains(response.status) {
                    let text = String(decoding: response.body.prefix(200), as: UTF8.self)
                    failure = "the executor answered \(response.status): \(text)"
                    // A client error is permanent, except for 408 and 429, which ask for a retry.
                    isLasting = (400..<500).contains(response.status) && ![408, 429].contains(response.status)
                }
            } catch {
                failure = error.message
            }
        } else {
            failure = "the executor was removed from the configuration"
        }
        improvement.attempted(
            failure, isLasting: isLasting, at: Timestamp(milliseconds: SystemClock.wallMilliseconds()))
    }
}
