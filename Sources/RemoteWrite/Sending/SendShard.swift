internal import ConfigurationFields
internal import CurlHTTP
internal import Instrumentation
internal import MetricModel
internal import Runtime
internal import Scraper
internal import Snappy
internal import Synchronization

/// One of the concurrent senders of a receiver: a queue of requests and a thread that delivers them in order. A series
/// always has the same sender, so that its samples arrive in order.
final class SendShard: Sendable {
    /// A request. The body is the message before compression.
    struct Batch: Sendable {
        var body: [UInt8]
        var counts: SenderInstruments.Counts
        /// The portion of its samples.
        var portion: UInt64
        /// The time of its newest sample in milliseconds.
        var newest = Int64.min
        /// Whether its samples may have been delivered before a restart.
        var repetition = Repetition.none
    }

    /// Whether the samples of a request may have been delivered before a restart.
    enum Repetition {
        /// They were not sent before.
        case none
        /// They were sent in the same request, if at all.
        case same
        /// They may have been sent in other requests.
        case other
    }

    /// Requests that a refused one is divided into, unless its samples may have been delivered.
    private static let mostParts = 100

    /// The parts that the senders of one receiver share.
    final class Context: Sendable {
        let settings: RemoteWriteSettings
        let instruments: SenderInstruments
        let logger: Logger
        let isStopping = Atomic(false)
        /// Ends pauses.
        let stopped = Mailbox<Bool>(capacity: 1)
        let signer: AWSSigner?
        let work = Mutex((samples: 0, seconds: 0.0))
        private let nextLine = Mutex(Int64.min)

        init(_ settings: RemoteWriteSettings, _ instruments: SenderInstruments, _ logger: Logger) {
            self.settings = settings
            self.instruments = instruments
            self.logger = logger
            signer = settings.signing.map { AWSSigner($0, service: "aps") }
        }

        /// Returns whether to log now: one line in ten seconds is enough.
        func mayLog() -> Bool {
            let now = SystemClock.monotonicNanoseconds()
            return nextLine.withLock { next in
                guard now >= next else { return false }
                next = now + 10_000_000_000
                return true
            }
        }

        /// Waits, or until everything stops. Returns whether it did not stop.
        func pause(_ duration: Milliseconds) -> Bool {
            if isStopping.load(ordering: .acquiring) { return false }
            let deadline = SystemClock.monotonicNanoseconds(in: duration.rawValue)
            while true {
                switch stopped.receive(deadline: deadline) {
                case .timedOut: return !isStopping.load(ordering: .acquiring)
                case .closed: return false
                case .message: continue
                }
            }
        }

        func stop() {
            isStopping.store(true, ordering: .releasing)
            stopped.close()
        }
    }

    private let context: Context
    private let queue: Mailbox<Batch>
    /// The portions of the batches that are not delivered, in order.
    private let portions = Mutex<[UInt64]>([])
    private let client = HTTPClient()
    private let thread = Mutex<WorkerThread?>(nil)

    init(_ context: Context, number: Int) throws(WorkerThread.StartError) {
        self.context = context
        let queue = context.settings.queue
        self.queue = Mailbox(capacity: max(1, queue.capacity / max(1, queue.samplesPerSend)))
        let thread = try WorkerThread("remote-write-\(number)", niceness: 5) { [weak self] in self?.run() }
        self.thread.withLock { $0 = thread }
    }

    /// Adds a request. Returns false if the queue is full.
    func send(_ batch: Batch) -> Bool {
        // The thread may take it at once.
        portions.withLock { $0.append(batch.portion) }
        context.instruments.enqueued(batch.counts)
        if queue.send(batch) { return true }
        context.instruments.dequeued(batch.counts)
        portions.withLock { _ = $0.popLast() }
        return false
    }

    /// The first portion of which something is not delivered; `nil` if everything is.
    var oldestPortion: UInt64? { portions.withLock { $0.first } }

    /// Ends the thread after the requests in the queue, or at once if everything stops.
    func stop() {
        queue.close()
        thread.withLock { $0.take() }?.join()
    }

    private func run() {
        while true {
            guard case .message(let batch) = queue.receive() else { return }
            var parts = Self.mostParts
            let isDone = deliver(batch, &parts)
            context.instruments.dequeued(batch.counts)
            guard isDone else { return }
            portions.withLock { _ = $0.removeFirst() }
        }
    }

    /// Tries until the receiver takes or refuses the request. Returns false if everything stops before that.
    ///
    /// - Parameter parts: the number of requests that it may still be divided into.
    private func deliver(_ batch: Batch, _ parts: inout Int) -> Bool {
        let body = Snappy.compress(batch.body)
        var attempts = SendAttempts(context.settings.queue, mayHaveArrived: batch.repetition == .same)
        let instruments = context.instruments
        while !context.isStopping.load(ordering: .acquiring) {
            let start = SystemClock.monotonicNanoseconds()
            let result = attempt(body)
            let seconds = Double(SystemClock.monotonicNanoseconds() - start) / 1e9
            instruments.duration.observe(seconds)
            switch attempts.ended(result) {
            case .delivered:
                instruments.count(batch.counts, .sent)
                (batch.counts.metadata > 0 ? instruments.metadataBytes : instruments.bytes).add(Double(body.count))
                if batch.newest > 0 { instruments.delivered(through: batch.newest) }
                context.work.withLock {
                    $0.samples += batch.counts.total
                    $0.seconds += seconds
                }
                return true
            case .old(_, mayHaveArrived: true):
                instruments.count(batch.counts, .sent)
                return true
            case .old(let reason, _):
                // Some receivers refuse a request as a whole. Its new samples are found by halving it.
                if parts > 0, let halves = WriteMessageWriter.halves(of: batch.body, context.settings.message.version) {
                    if batch.repetition == .none { parts -= 2 }
                    return halves.allSatisfy { half in
                        var part = batch
                        (part.body, part.counts) = (half.message, half.counts)
                        return deliver(part, &parts)
                    }
                }
                if batch.repetition == .other {
                    instruments.count(batch.counts, .sent)
                } else {
                    refused(batch, reason)
                }
                return true
            case .giveUp(let reason):
                refused(batch, reason)
                return true
            case .retry(let pause, let reason):
                instruments.count(batch.counts, .retried)
                if context.mayLog() {
                    context.logger.warn("remote storage not reached, will retry", ["reason": reason])
                }
                guard context.pause(pause) else { return false }
            }
        }
        return false
    }

    private func refused(_ batch: Batch, _ reason: String) {
        context.instruments.count(batch.counts, .failed)
        if context.mayLog() {
            context.logger.error(
                "remote storage refused samples", ["samples": batch.counts.total, "reason": reason])
        }
    }

    private func attempt(_ body: [UInt8]) -> SendAttempts.Result {
        let settings = context.settings
        var request = HTTPRequest(
            method: "POST", url: settings.url, body: body, timeoutMilliseconds: settings.timeout.rawValue)
        request.maximumBodyBytes = 1 << 20
        request.headers = [
            ("Content-Encoding", "snappy"),
            ("Content-Type", settings.message.contentType),
            ("X-Prometheus-Remote-Write-Version", settings.message.protocolVersion),
        ]
        for (name, value) in settings.headers.sorted(by: { $0.key < $1.key }) { request.headers.append((name, value)) }
        do throws(HTTPFailure) {
            try settings.http.apply(to: &request)
            try context.signer?.sign(&request) { (request) throws(HTTPFailure) in try send(request) }
            let response = try send(request)
            let message = String(decoding: response.body.prefix(500), as: UTF8.self)
            return .answered(
                status: response.status, retryAfter: response.head["retry-after"], message: message,
                isConfirmed: settings.message == .version1
                    || response.head["x-prometheus-remote-write-samples-written"] != nil)
        } catch {
            return .failed("\(error)")
        }
    }
}

extension SendShard {
    /// Sends `request` and waits for the response, unless the sender is stopped.
    private func send(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse {
        try client.send(request) { [context] in context.isStopping.load(ordering: .acquiring) }
    }
}

extension RemoteWriteSettings.Message {
    var version: RemoteWriteVersion { self == .version1 ? .one : .two }

    fileprivate var contentType: String {
        switch self {
        case .version1: "application/x-protobuf"
        case .version2: "application/x-protobuf;proto=io.prometheus.write.v2.Request"
        }
    }

    fileprivate var protocolVersion: String {
        switch self {
        case .version1: "0.1.0"
        case .version2: "2.0.0"
        }
    }
}
