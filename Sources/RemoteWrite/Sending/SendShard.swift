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
        /// The round in which its first sample was read.
        var round: UInt64
        /// The time of its newest sample in milliseconds.
        var newest: Int64 = 0
        /// Whether some of its samples may have been delivered before a restart.
        var mayRepeat = false
    }

    /// What the senders of one receiver share.
    final class Context: Sendable {
        let settings: RemoteWriteSettings
        let instruments: SenderInstruments
        let logger: Logger
        let isStopping = Atomic(false)
        /// Ends pauses.
        let stopped = Mailbox<Bool>(capacity: 1)
        let work = Mutex((samples: 0, seconds: 0.0))
        private let nextLine = Mutex(Int64.min)

        init(_ settings: RemoteWriteSettings, _ instruments: SenderInstruments, _ logger: Logger) {
            self.settings = settings
            self.instruments = instruments
            self.logger = logger
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
    /// The rounds of the batches that are not delivered, in order.
    private let rounds = Mutex<[UInt64]>([])
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
        rounds.withLock { $0.append(batch.round) }
        context.instruments.enqueued(batch.counts)
        if queue.send(batch) { return true }
        context.instruments.dequeued(batch.counts)
        rounds.withLock { _ = $0.popLast() }
        return false
    }

    /// The first round of which something is not delivered; `nil` if everything is.
    var oldestRound: UInt64? { rounds.withLock { $0.first } }

    /// Ends the thread after the requests in the queue, or at once if everything stops.
    func stop() {
        queue.close()
        thread.withLock { $0.take() }?.join()
    }

    private func run() {
        while true {
            guard case .message(let batch) = queue.receive() else { return }
            let isDone = deliver(batch)
            context.instruments.dequeued(batch.counts)
            guard isDone else { return }
            rounds.withLock { _ = $0.removeFirst() }
        }
    }

    /// Tries until the receiver takes or refuses the request. Returns false if everything stops before that.
    private func deliver(_ batch: Batch) -> Bool {
        let body = Snappy.compress(batch.body)
        var attempts = SendAttempts(context.settings.queue)
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
            case .old(_, let mayHaveArrived) where mayHaveArrived || batch.mayRepeat:
                // Some receivers refuse a request as a whole. Its new samples are found by halving it.
                if batch.mayRepeat, let (first, second) = batch.halves {
                    return deliver(first) && deliver(second)
                }
                instruments.count(batch.counts, .sent)
                return true
            case .giveUp(let reason), .old(let reason, _):
                instruments.count(batch.counts, .failed)
                if context.mayLog() {
                    context.logger.error(
                        "remote storage refused samples", ["samples": batch.counts.total, "reason": reason])
                }
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
            let response = try client.send(request) { [context] in context.isStopping.load(ordering: .acquiring) }
            let message = String(decoding: response.body.prefix(500), as: UTF8.self)
            return .answered(status: response.status, retryAfter: response.head["retry-after"], message: message)
        } catch {
            return .failed("\(error)")
        }
    }
}

extension SendShard.Batch {
    /// Two requests with the first and the second half of the series; `nil` if there is only one.
    var halves: (SendShard.Batch, SendShard.Batch)? {
        guard let (first, second) = WriteMessageWriter.halves(of: body) else { return nil }
        func part(_ body: [UInt8], _ share: (Int) -> Int) -> SendShard.Batch {
            var part = self
            part.body = body
            part.counts = .init(
                samples: share(counts.samples), histograms: share(counts.histograms),
                exemplars: share(counts.exemplars))
            return part
        }
        // Which half has which kind is not known. The sums are right.
        return (part(first) { $0 / 2 }, part(second) { $0 - $0 / 2 })
    }
}

extension RemoteWriteSettings.Message {
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
