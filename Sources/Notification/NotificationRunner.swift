internal import CurlHTTP
public import Instrumentation
internal import MetricModel
public import RuleEngine
public import Runtime
internal import Synchronization

/// The shell around ``NotificationQueue``: one thread steps the machine, a few others talk to receivers.
///
/// Any thread may hand in alerts; none of its callers ever waits for a receiver.
public final class NotificationRunner: Sendable {
    /// What became of one notification, for the history.
    public struct Outcome: Sendable {
        /// What was told.
        public var notification: Notification
        /// `webhook` or `pagerduty`.
        public var integration: String
        /// Why it failed; `nil` when it arrived.
        public var failure: String?
        /// Which try this was, from 1.
        public var attempt: Int
    }

    private enum Event: Sendable {
        case alerts([Alert], urgent: Bool)
        case finished(NotificationQueue.Delivery, IntegrationRequest.Verdict)
        case reconfigured(NotificationConfiguration)
    }

    private struct Job: Sendable {
        var delivery: NotificationQueue.Delivery
        var integration: Integration
    }

    private static let senders = 4
    private static let alertBatchLimit = 8000

    private let events = Mailbox<Event>(capacity: 10_000)
    private let jobs = Mailbox<Job>(capacity: 10_000)
    private let client = HTTPClient()
    private let externalURL: String
    private let silences: SilenceRunner
    private let logger: Logger
    private let registry: Registry
    private let dropped: Counter
    private let suppressed: [Suppression: Counter]
    private let refused: Counter
    /// Stepped by one thread; others take copies.
    private let state = Mutex(NotificationQueue(.silent))
    private let onOutcome: @Sendable (Outcome) -> Void
    private let threads = Mutex<[WorkerThread]>([])

    /// A runner that has not been started.
    ///
    /// - Parameters:
    ///   - silences: What nobody is to be told of.
    ///   - onOutcome: Called from a sender's thread after each try.
    public init(
        externalURL: String, silences: SilenceRunner, logger: Logger, registry: Registry,
        onOutcome: @escaping @Sendable (Outcome) -> Void = { _ in }
    ) {
        self.externalURL = externalURL
        self.silences = silences
        self.logger = logger.with("component", "notification")
        self.registry = registry
        self.onOutcome = onOutcome
        let waiting = registry.gauge("tribune_notifications_queued", "Events and notifications that wait.")
        dropped = registry.counter(
            "tribune_notification_batches_dropped_total", "Batches of alerts dropped because the queue was full.")
        suppressed = Dictionary(
            uniqueKeysWithValues: Suppression.allCases.map { reason in
                let help = "Alerts that fired and nobody was told of, counted each time their group came due."
                return (
                    reason,
                    registry.counter(
                        "tribune_notifications_suppressed_total", help, labels: ["reason": reason.rawValue])
                )
            })
        refused = registry.counter(
            "tribune_notification_alerts_refused_total",
            "Alerts that were not taken because \(NotificationQueue.capacity) are kept already.")
        registry.onSnapshot { [events, jobs] in waiting.set(Double(events.count + jobs.count)) }
    }

    /// Starts the threads; throws, with none of them left, if one cannot be started.
    ///
    /// - Parameter mayTell: whether it is for this process to tell people, and not for another one that sees the same. Asked from
    ///   any thread, again before each notification is sent. While it is not, all groups are forgotten, repetitions and attempts
    ///   that wait included: who tells people now has groups of its own.
    public func start(
        _ configuration: NotificationConfiguration, mayTell: @escaping @Sendable () -> Bool = { true }
    ) throws(WorkerThread.StartError) {
        do throws(WorkerThread.StartError) {
            try threads.withLock { (threads) throws(WorkerThread.StartError) in
                threads.append(try WorkerThread("notify") { self.step(configuration, mayTell) })
                for number in 1...Self.senders {
                    threads.append(try WorkerThread("notify-\(number)") { self.send(mayTell) })
                }
            }
        } catch {
            stop()
            throw error
        }
    }

    /// Hands in alerts. `urgent` ones do not wait for others of their group. Returns false when the queue is full.
    @discardableResult
    public func receive(_ alerts: [Alert], urgent: Bool = false) -> Bool {
        // The rest of the queue is kept for what the senders report back, which must not be lost.
        guard events.count < Self.alertBatchLimit, events.send(.alerts(alerts, urgent: urgent)) else {
            dropped.add()
            return false
        }
        return true
    }

    /// The groups as they are: a copy that costs nothing until something changes.
    public var queue: NotificationQueue { state.withLock { $0 } }

    /// Replaces the configuration; groups whose route is still there go on.
    public func reload(_ configuration: NotificationConfiguration) {
        events.send(.reconfigured(configuration))
    }

    /// Ends the threads after what is under way; what waits for another try is given up, and logged.
    public func stop() {
        events.close()
        let running = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        running.first?.join()
        jobs.close()
        for thread in running.dropFirst() { thread.join() }
    }

    private func step(_ initial: NotificationConfiguration, _ mayTell: () -> Bool) {
        var configuration = initial
        state.withLock { $0 = NotificationQueue(initial) }
        while true {
            let groups = queue.groupCount
            if !mayTell(), groups + queue.pendingCount > 0 {
                logger.info("another process tells people: groups are forgotten", ["groups": groups])
                state.withLock { $0 = NotificationQueue(configuration) }
            }
            let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
            let active = silences.silences.active(at: now)
            for delivery in state.withLock({ $0.advanced(to: now, silences: active) }) {
                let integrations = configuration.receivers[delivery.receiver]?.integrations ?? []
                guard integrations.indices.contains(delivery.integration),
                    jobs.send(Job(delivery: delivery, integration: integrations[delivery.integration]))
                else {
                    state.withLock { $0.failed(delivery.id, retryable: true, at: now) }
                    continue
                }
            }
            for (reason, count) in state.withLock({ $0.takeSuppressed() }) { suppressed[reason]?.add(Double(count)) }
            refused.add(Double(state.withLock { $0.takeRefused() }))
            let wait = queue.nextDeadline.map { max(0, ($0 - now).rawValue) }
            let deadline = wait.map { SystemClock.monotonicNanoseconds() + min($0, 3_600_000) * 1_000_000 }
            switch events.receive(deadline: deadline) {
            case .timedOut: continue
            case .closed:
                if queue.pendingCount > 0 {
                    logger.warn("notifications were not delivered before the end", ["count": queue.pendingCount])
                }
                return
            case .message(.alerts(let alerts, let urgent)):
                let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
                state.withLock { $0.received(alerts, urgent: urgent, at: now) }
            case .message(.finished(let delivery, let verdict)):
                finish(delivery, verdict)
            case .message(.reconfigured(let new)):
                configuration = new
                state.withLock { $0.reconfigured(new) }
            }
        }
    }

    private func finish(_ delivery: NotificationQueue.Delivery, _ verdict: IntegrationRequest.Verdict) {
        let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        state.withLock { queue in
            switch verdict {
            case .delivered: queue.delivered(delivery.id, at: now)
            case .retry: queue.failed(delivery.id, retryable: true, at: now)
            case .refused: queue.failed(delivery.id, retryable: false, at: now)
            }
        }
    }

    private func send(_ mayTell: () -> Bool) {
        while case .message(let job) = jobs.receive() {
            // It may have waited here while another process took over, or this one stood still.
            guard mayTell() else {
                events.send(.finished(job.delivery, .refused("another process tells people")))
                continue
            }
            let request = IntegrationRequest.request(
                job.delivery.notification, to: job.integration, externalURL: externalURL)
            let started = SystemClock.monotonicNanoseconds()
            let result: Result<HTTPResponse, HTTPFailure>
            do throws(HTTPFailure) {
                result = .success(try client.send(request))
            } catch {
                result = .failure(error)
            }
            let seconds = Double(SystemClock.monotonicNanoseconds() - started) / 1e9
            let verdict = IntegrationRequest.verdict(result)
            report(job, verdict, seconds: seconds)
            events.send(.finished(job.delivery, verdict))
        }
    }

    private func report(_ job: Job, _ verdict: IntegrationRequest.Verdict, seconds: Double) {
        let kind = job.integration.kind
        registry.histogram(
            "tribune_notification_latency_seconds", "Time a receiver took to answer.", labels: ["integration": kind]
        ).observe(seconds)
        registry.counter("tribune_notifications_total", "Notifications sent.", labels: ["integration": kind]).add()
        var failure: String?
        switch verdict {
        case .delivered: break
        case .retry(let reason), .refused(let reason):
            failure = reason
            registry.counter(
                "tribune_notifications_failed_total", "Notifications that did not arrive.",
                labels: ["integration": kind]
            ).add()
            logger.warn(
                "notification failed",
                [
                    "receiver": job.delivery.receiver, "integration": kind, "attempt": job.delivery.attempt + 1,
                    "error": reason,
                ])
        }
        onOutcome(
            Outcome(
                notification: job.delivery.notification, integration: kind, failure: failure,
                attempt: job.delivery.attempt + 1))
    }
}
