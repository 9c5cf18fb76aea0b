internal import Glibc
public import Instrumentation
internal import MetricModel
public import Receivers
public import RuleModel
public import Runtime
internal import Synchronization

/// The shell around ``NotificationQueue``: one thread steps the machine, others send to receivers, each in a queue of
/// its own.
///
/// May be called from any thread. Callers never wait for a receiver.
public final class NotificationRunner: Sendable {
    /// The result of one attempt to deliver a notification, for the history.
    public struct Outcome: Sendable {
        /// The notification.
        public var notification: Notification
        /// The integration within the receiver, such as `webhook/0`.
        public var integration: String
        /// Why it failed; `nil` if it was accepted.
        public var failure: String?
        /// The last answer of the receiver, on one line; empty if there was none.
        public var answer: String
        /// The number of the attempt, from 1.
        public var attempt: Int
        /// How long the attempt took, in nanoseconds.
        public var nanoseconds: Int64
    }

    private enum Verdict: Sendable {
        case accepted(memory: [String: String])
        case failed(DeliveryFailure)
    }

    private enum Event: Sendable {
        case alerts([Alert], AlertOrigin, urgent: Bool)
        case finished(NotificationQueue.Delivery, Verdict)
        case reconfigured(NotificationConfiguration)
        case rulesEvaluated
        case probe(Pulse)
    }

    private struct Job: Sendable {
        var delivery: NotificationQueue.Delivery
        var integration: Integration
        var templates: NotificationTemplates
    }

    private enum Limit {
        /// The maximum number of concurrent messages per receiver.
        static let concurrency = 16
        static let jobsOfReceiver = 10_000
        static let alertBatches = 8000
        /// The maximum number of events between writes of the log.
        static let eventsAtOnce = 1024
        /// How long results of deliveries are collected before they are logged and the groups checked.
        static let collectionMicroseconds: UInt32 = 3000
        /// How often a node that shares notifications checks whether it notifies.
        static let turnNanoseconds: Int64 = 250_000_000
        /// How long a node that takes over waits for the shared database before it notifies without it. It then repeats
        /// notifications, which is better than sending none.
        static let takeOverNanoseconds: Int64 = 10_000_000_000
        /// How often a node that does not notify removes alerts that ended.
        static let pruningNanoseconds: Int64 = 10_000_000_000
    }

    /// Whether this node notifies, among those that share notifications.
    private enum Turn {
        /// Alerts that ended are removed at `pruneAt`.
        case standby(pruneAt: Int64)
        /// To: `leading`, when the shared notifications were read or did not come before `until`.
        case takingOver(until: Int64)
        case leading
    }

    /// The state of the thread that steps the machine.
    private struct Course {
        var configuration: NotificationConfiguration
        var turn: Turn
        var areRulesEvaluated = false

        var isLeading: Bool { if case .leading = turn { true } else { false } }
    }

    private let pulse = Pulse("notification")
    private let events = Mailbox<Event>(capacity: 10_000)
    private let receiverQueues = Mutex<[String: ReceiverQueue<Job>]>([:])
    private let transport: any DeliveryTransport
    private let externalURL: String
    private let silences: SilenceRunner
    private let log = Mutex<NotificationLogWriter?>(nil)
    private let sharing: NotificationSharing?
    private let logger: Logger
    private let instruments: NotificationInstruments
    /// Stepped by one thread. Others read copies.
    private let state = Mutex(NotificationQueue(.silent))
    private let onOutcome: @Sendable (Outcome) -> Void
    private let mayNotify = ReplaceableClosure<Bool> { true }
    private let thread = Mutex<WorkerThread?>(nil)
    private let isStopping = Atomic(false)
    /// Integrations whose last notification failed, by receiver and name.
    private let failing = Mutex<Set<String>>([])

    /// A runner that has not been started.
    ///
    /// - Parameters:
    ///   - silences: returns the current silences.
    ///   - logPath: the file of the notification log; `nil` for none.
    ///   - sharing: the other nodes of the lease; `nil` if nothing is shared with them.
    ///   - onOutcome: called from a sender's thread after each attempt.
    public init(
        externalURL: String, silences: SilenceRunner, logPath: String? = nil, sharing: NotificationSharing? = nil,
        transport: any DeliveryTransport = NetworkTransport(), logger: Logger, registry: Registry,
        onOutcome: @escaping @Sendable (Outcome) -> Void = { _ in }
    ) {
        self.externalURL = externalURL
        self.silences = silences
        self.sharing = sharing
        self.transport = transport
        self.logger = logger.with("component", "notification")
        self.onOutcome = onOutcome
        instruments = NotificationInstruments(registry)
        if let logPath {
            let log = NotificationLogWriter(NotificationLog(path: logPath, logger: logger, registry: registry)) {
                [weak self] in self?.queue.logEntries ?? []
            }
            self.log.withLock { $0 = log }
        }
        let waiting = registry.gauge("tribune_notifications_queued", "Events and notifications that wait.")
        registry.onSnapshot { [weak self] in waiting.set(Double(self?.waitingCount ?? 0)) }
    }

    private var waitingCount: Int {
        events.count + receiverQueues.withLock { $0.values.reduce(0) { $0 + $1.count } }
    }

    /// Starts the threads. If one cannot be started, stops the others and throws.
    ///
    /// - Parameter mayNotify: whether this process sends notifications, and not another one with the same alerts.
    ///   Called from any thread, again before each notification is sent. While it returns false, all groups are
    ///   removed, including repetitions and retries: the process that notifies has its own groups.
    public func start(
        _ configuration: NotificationConfiguration, mayTell mayNotify: @escaping @Sendable () -> Bool = { true }
    ) throws(WorkerThread.StartError) {
        self.mayNotify.replace(by: mayNotify)
        try log.withLock { $0 }?.start()
        try sharing?.start()
        try thread.withLock { (thread) throws(WorkerThread.StartError) in
            thread = try WorkerThread("notify") { self.run(configuration, mayNotify) }
        }
    }

    /// Adds alerts. `urgent` ones do not wait for others of their group. Returns false if the queue is full.
    @discardableResult
    public func receive(_ alerts: [Alert], origin: AlertOrigin = .rules, urgent: Bool = false) -> Bool {
        // The rest of the queue is reserved for the senders' results, which must not be lost.
        guard events.count < Limit.alertBatches, events.send(.alerts(alerts, origin, urgent: urgent)) else {
            instruments.dropped.add()
            return false
        }
        return true
    }

    /// The current groups: a copy that costs nothing until something changes.
    public var queue: NotificationQueue { state.withLock { $0 } }

    /// Replaces the configuration. Groups of routes that still exist are kept.
    public func reload(_ configuration: NotificationConfiguration) {
        events.send(.reconfigured(configuration))
    }

    /// Every rule has been evaluated since the start: older alerts that were not received since have ended.
    public func rulesWereEvaluated() { events.send(.rulesEvaluated) }

    /// Asks the thread whether it turns over, through the queue of its work. The pulse has the answer.
    public func probe() -> [Pulse] {
        if pulse.ask() { events.send(.probe(pulse)) }
        return [pulse]
    }

    /// Stops the threads after the messages in progress. Notifications that wait for a retry are dropped and logged.
    public func stop() {
        isStopping.store(true, ordering: .relaxed)
        let receiverQueues = self.receiverQueues.withLock { Array($0.values) }
        for queue in receiverQueues { queue.close() }
        for queue in receiverQueues { queue.join() }
        // Deliveries that receivers have accepted are logged before the end.
        events.close()
        thread.withLock { $0.take() }?.join()
        log.withLock { $0 }?.stop()
        sharing?.stop()
    }

    /// Whether a node that does not notify has to receive alerts too, so that it can take over.
    public var isShared: Bool { sharing != nil }

    private static var now: Timestamp { Timestamp(milliseconds: SystemClock.wallMilliseconds()) }

    // MARK: The machine

    private func run(_ initial: NotificationConfiguration, _ mayNotify: () -> Bool) {
        var course = Course(configuration: initial, turn: sharing == nil ? .leading : .standby(pruneAt: 0))
        let log = self.log.withLock { $0 }
        state.withLock { $0 = NotificationQueue(initial) }
        if let log {
            let entries = log.read()
            state.withLock { $0.restored(entries, at: Self.now) }
            log.rewrite(queue.logEntries)
        }
        while true {
            let groups = queue.groupCount
            if let sharing {
                let wasLeading = course.isLeading
                step(&course, mayNotify: mayNotify(), sharing)
                if course.isLeading && !wasLeading { log?.rewrite(queue.logEntries) }
            } else if !mayNotify(), groups + queue.pendingCount > 0 {
                logger.info("another process notifies, groups removed", ["groups": groups])
                state.withLock { $0 = NotificationQueue(course.configuration) }
                log?.rewrite([])
            }
            if course.isLeading { dispatch(course.configuration) }
            let goesOn = takeEvents(&course)
            let changes = state.withLock { $0.takeChanges() }
            log?.keep(changes)
            if course.isLeading { sharing?.keep(changes) }
            if !goesOn { break }
        }
        if queue.pendingCount > 0 {
            logger.warn("notifications not delivered before the stop", ["count": queue.pendingCount])
        }
    }

    /// Takes over from another node, or leaves the notifications to it.
    private func step(_ course: inout Course, mayNotify: Bool, _ sharing: NotificationSharing) {
        let now = SystemClock.monotonicNanoseconds()
        switch course.turn {
        case .standby where mayNotify:
            course.turn = .takingOver(until: now + Limit.takeOverNanoseconds)
            takeOver(&course, until: now + Limit.takeOverNanoseconds, sharing)
        case .takingOver(let until) where mayNotify: takeOver(&course, until: until, sharing)
        case .leading where mayNotify: break
        case .standby(let pruneAt):
            guard now >= pruneAt else { return }
            state.withLock { $0.stoodBy(at: Self.now) }
            course.turn = .standby(pruneAt: now + Limit.pruningNanoseconds)
        case .leading, .takingOver:
            logger.info("another node notifies")
            sharing.forget()
            state.withLock { $0.stoodBy(at: Self.now) }
            course.turn = .standby(pruneAt: now + Limit.pruningNanoseconds)
        }
    }

    private func takeOver(_ course: inout Course, until: Int64, _ sharing: NotificationSharing) {
        do throws(NotificationStoreFault) {
            let entries = try sharing.entries()
            state.withLock { $0.tookOver(entries, at: Self.now) }
            logger.info("this node notifies", ["groups": queue.groupCount, "notified": entries.count])
        } catch {
            guard SystemClock.monotonicNanoseconds() >= until else { return }
            logger.error(
                "this node notifies without the shared notifications, some may be repeated",
                ["error": error.description])
        }
        course.turn = .leading
        // Rules send their alerts to each node, so that those that are only in the database have ended.
        if course.areRulesEvaluated { state.withLock { $0.restorationEnded(at: Self.now) } }
    }

    private func dispatch(_ configuration: NotificationConfiguration) {
        let now = Self.now
        let active = silences.silences.active(at: now)
        guard !isStopping.load(ordering: .relaxed) else { return }
        for delivery in state.withLock({ $0.advanced(to: now, silences: active) }) {
            guard let integration = configuration.receivers[delivery.receiver]?.integration(delivery.integration),
                receiverQueue(of: delivery).send(
                    Job(delivery: delivery, integration: integration, templates: configuration.templates))
            else {
                state.withLock { $0.failed(delivery.id, retryable: true, at: now) }
                continue
            }
        }
        for (reason, count) in state.withLock({ $0.takeSuppressed() }) { instruments.suppressed(reason, count) }
        instruments.refused.add(Double(state.withLock { $0.takeRefused() }))
    }

    /// The queue of a delivery's receiver. Urgent ones have a separate queue.
    private func receiverQueue(of delivery: NotificationQueue.Delivery) -> ReceiverQueue<Job> {
        let name = delivery.receiver + (delivery.isUrgent ? " urgent" : "")
        return receiverQueues.withLock { receiverQueues in
            if let known = receiverQueues[name] { return known }
            let created = ReceiverQueue<Job>(capacity: Limit.jobsOfReceiver, concurrency: Limit.concurrency) {
                [weak self] job in self?.send(job)
            }
            receiverQueues[name] = created
            return created
        }
    }

    /// Waits for an event and handles all that are queued. Returns false at the end.
    private func takeEvents(_ course: inout Course) -> Bool {
        let wait = queue.nextDeadline.map { max(0, ($0 - Self.now).rawValue) }
        var deadline = wait.map { SystemClock.monotonicNanoseconds() + min($0, 3_600_000) * 1_000_000 }
        if sharing != nil {
            let turn = SystemClock.monotonicNanoseconds() + Limit.turnNanoseconds
            deadline = course.isLeading ? min(deadline ?? turn, turn) : turn
        }
        var hasCollected = false
        for _ in 0..<Limit.eventsAtOnce {
            switch events.receive(deadline: deadline) {
            case .timedOut: return true
            case .closed: return false
            case .message(let event):
                take(event, &course)
                if case .finished = event, !hasCollected {
                    // Others follow: each time costs a look at every group and a write of the log.
                    usleep(Limit.collectionMicroseconds)
                    hasCollected = true
                }
            }
            deadline = 0
        }
        return true
    }

    private func take(_ event: Event, _ course: inout Course) {
        let now = Self.now
        switch event {
        case .alerts(let alerts, let origin, let urgent):
            state.withLock { $0.received(alerts, origin: origin, urgent: urgent, at: now) }
        case .finished(let delivery, .accepted(let memory)):
            state.withLock { $0.delivered(delivery.id, memory: memory, at: now) }
        case .finished(let delivery, .failed(let failure)):
            state.withLock { $0.failed(delivery.id, retryable: failure.isRetryable, at: now) }
        case .reconfigured(let new):
            course.configuration = new
            state.withLock { $0.reconfigured(new, at: now) }
        case .rulesEvaluated:
            course.areRulesEvaluated = true
            state.withLock { $0.restorationEnded(at: now) }
        case .probe(let pulse): pulse.answer()
        }
    }

    // MARK: Senders

    private func send(_ job: Job) {
        // Another process may have taken over while it waited, or this process was suspended.
        let mayNotify = self.mayNotify()
        guard mayNotify, !isStopping.load(ordering: .relaxed) else {
            let reason = mayNotify ? "this process is stopping" : "another process notifies"
            events.send(.finished(job.delivery, .failed(DeliveryFailure(reason, isRetryable: mayNotify))))
            return
        }
        var delivery = Delivery(
            job.delivery.notification.message, memory: job.delivery.memory, externalURL: externalURL,
            templates: job.templates, transport: transport)
        let started = SystemClock.monotonicNanoseconds()
        let verdict: Verdict
        do throws(DeliveryFailure) {
            try job.integration.settings.send(&delivery)
            verdict = .accepted(memory: delivery.memory)
        } catch {
            verdict = .failed(error)
        }
        report(job, verdict, delivery, nanoseconds: SystemClock.monotonicNanoseconds() - started)
        events.send(.finished(job.delivery, verdict))
    }

    /// The first failure of an integration is a warning, repetitions are logged at level debug.
    private func log(_ delivery: NotificationQueue.Delivery, _ failure: String?) {
        let name = "\(delivery.receiver)/\(delivery.integration)"
        guard let failure else {
            guard failing.withLock({ $0.remove(name) }) != nil else { return }
            return logger.info("receiver accepts notifications again", ["receiver": name])
        }
        let fields: KeyValuePairs<String, any CustomStringConvertible & Sendable> = [
            "receiver": name, "group": delivery.notification.groupKey, "attempt": delivery.attempt + 1,
            "error": failure,
        ]
        if failing.withLock({ $0.insert(name).inserted }) {
            logger.warn("notification failed, repetitions are logged at level debug", fields)
        } else {
            logger.debug("notification failed", fields)
        }
    }

    private func report(_ job: Job, _ verdict: Verdict, _ delivery: Delivery, nanoseconds: Int64) {
        let kind = job.integration.kind
        var failure: String?
        if case .failed(let reason) = verdict { failure = reason.reason }
        instruments.sent(kind, seconds: Double(nanoseconds) / 1e9, failed: failure != nil)
        for remark in delivery.remarks {
            logger.warn(
                "notification modified",
                ["receiver": job.delivery.receiver, "integration": kind, "remark": remark])
        }
        log(job.delivery, failure)
        onOutcome(
            Outcome(
                notification: job.delivery.notification, integration: job.delivery.integration, failure: failure,
                answer: delivery.answer, attempt: job.delivery.attempt + 1, nanoseconds: nanoseconds))
    }
}

/// Metrics of notifications.
private struct NotificationInstruments: Sendable {
    let registry: Registry
    let dropped: Counter
    let refused: Counter
    private let suppressed: [Suppression: Counter]

    init(_ registry: Registry) {
        self.registry = registry
        dropped = registry.counter(
            "tribune_notification_batches_dropped_total", "Batches of alerts dropped because the queue was full.")
        refused = registry.counter(
            "tribune_notification_alerts_refused_total",
            "Alerts dropped because of the limit of \(NotificationQueue.capacity) alerts.")
        suppressed = Dictionary(
            uniqueKeysWithValues: Suppression.allCases.map { reason in
                let help = "Firing alerts that were not sent, counted each time their group came due."
                let labels: KeyValuePairs = ["reason": reason.rawValue]
                return (reason, registry.counter("tribune_notifications_suppressed_total", help, labels: labels))
            })
    }

    func suppressed(_ reason: Suppression, _ count: Int) { suppressed[reason]?.add(Double(count)) }

    func sent(_ kind: String, seconds: Double, failed: Bool) {
        let labels: KeyValuePairs = ["integration": kind]
        registry.histogram(
            "tribune_notification_latency_seconds", "Response time of a receiver.", labels: labels
        ).observe(seconds)
        registry.counter("tribune_notifications_total", "Notifications sent.", labels: labels).add()
        guard failed else { return }
        registry.counter(
            "tribune_notifications_failed_total", "Notifications that were not accepted.", labels: labels
        ).add()
    }
}
