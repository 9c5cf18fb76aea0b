internal import Durable
public import Instrumentation
internal import MetricModel
public import OnCall
public import Receivers
public import Runtime
internal import Synchronization
internal import TLS

/// The shell around ``PageBook``: one thread steps the machine and stores what changed, others send to
/// receivers, each of which has its own queue.
///
/// May be called from any thread. Callers wait for the journal, never for a receiver. Of the nodes of a lease only the
/// holder acts; what others are asked to do they refuse, so that the caller asks again.
public final class OnCallRunner: Sendable {
    /// The parts that do not change while it runs.
    public struct Settings: Sendable {
        /// The directory of the journal and of the key of signed links; must exist.
        public var directory: String
        /// The URL of this service, the beginning of links.
        public var externalURL: String
        /// Sends messages.
        public var transport: any DeliveryTransport
        /// The store in which the nodes of a lease share pages; `nil` for a process that runs alone.
        public var store: (any PageStore)?
        /// Whether this process acts, and not another one. Called from any thread, again before each message.
        public var mayAct: @Sendable () -> Bool
        /// Reads a calendar. Called from one thread, which it may block until it is cancelled.
        public var fetch:
            @Sendable (_ source: CalendarSource, _ isCancelled: @escaping @Sendable () -> Bool)
                throws(CalendarFetchError) -> [UInt8]
        /// The wall clock, in milliseconds since the epoch; another one only in tests.
        package var wall: @Sendable () -> Int64 = { SystemClock.wallMilliseconds() }
        /// The log.
        public var logger: Logger
        /// The registry of metrics.
        public var registry: Registry

        /// Settings of a process that runs alone.
        public init(directory: String, externalURL: String, logger: Logger = .silent, registry: Registry = Registry()) {
            self.directory = directory
            self.externalURL = externalURL
            transport = NetworkTransport()
            mayAct = { true }
            fetch = { (_, _) throws(CalendarFetchError) in throw CalendarFetchError("calendars cannot be read here") }
            self.logger = logger
            self.registry = registry
        }
    }

    /// Takes reports. Called from the thread of the machine; must not wait.
    public struct Sinks: Sendable {
        /// Something happened, for the record.
        public var event: @Sendable (PageEvent) -> Void = { _ in }
        /// Something happened to a schedule, for the record.
        public var schedule: @Sendable (ScheduleEvent) -> Void = { _ in }
        /// An alarm was raised, or is over.
        public var alarm: @Sendable (_ alarm: PageAlarm, _ isOver: Bool) -> Void = { _, _ in }

        /// Sinks that take nothing.
        public init() {}
    }

    /// The settings of a configuration file.
    public struct Configuration: Sendable {
        /// The `oncall.yml`.
        public var onCall: OnCallConfiguration
        /// The receivers by name.
        public var receivers: [String: Receiver]
        /// Their templates.
        public var templates: NotificationTemplates

        /// A configuration.
        public init(_ onCall: OnCallConfiguration, receivers: [String: Receiver], templates: NotificationTemplates) {
            self.onCall = onCall
            self.receivers = receivers
            self.templates = templates
        }
    }

    /// The configuration in force with what is made of it.
    struct Current: Sendable {
        var configuration: Configuration
        var links: PageLinks
        /// Sends to browsers; `nil` where `oncall.yml` has no section `push`.
        var push: WebPush?
    }

    enum Event: Sendable {
        case signal(Signal, Mailbox<OnCallRefusal?>)
        case order(PageOrder, page: String, Mailbox<Result<PageOutcome, OnCallRefusal>>)
        case scheduleOrder(ScheduleOrder, Mailbox<Result<ScheduleOutcome, OnCallRefusal>>)
        case browserOrder(BrowserOrder, Mailbox<Result<BrowserOutcome, OnCallRefusal>>)
        case browserGone(String, endpoint: String)
        case called(page: String, number: Int)
        case callFailed(page: String, number: Int, reason: String, isFinal: Bool)
        case closed(page: String, receiver: String, hasTakenIt: Bool)
        case digestFailed(DigestContent)
        case reconfigured
        case probe(Pulse)
        case calendar(schedule: String, [Schedule.Shift])
    }

    private enum Limit {
        static let events = 10_000
        /// The rest of the queue is for results of receivers, which must not be lost.
        static let signals = 8000
        static let answerNanoseconds: Int64 = 10_000_000_000
    }

    let settings: Settings
    let sinks: Sinks
    let logger: Logger
    let instruments: OnCallInstruments
    let events = Mailbox<Event>(capacity: Limit.events)
    let receiverQueues = Mutex<[String: ReceiverQueue<CallJob>]>([:])
    /// Digests, which wait for no call and let none wait.
    let digestQueue = Mutex<ReceiverQueue<DigestContent>?>(nil)
    /// The integrations of a receiver that have a message already, while others of it are tried again.
    let heard = Mutex<[String: Set<Int>]>([:])
    /// The configuration in force, with the signer of links and the sender to browsers.
    let current: Mutex<Current>
    /// Stepped by one thread. Others read copies.
    let published = Mutex(PageBook(Roster()))
    private let journal: Mutex<PageJournal?>
    private let thread = Mutex<WorkerThread?>(nil)
    private let calendars: CalendarReader
    let slack = SlackSignature()
    private let pulse = Pulse("on-call")
    let isStopping = Atomic(false)
    /// Whether this process acts now, as the thread of the machine sees it.
    let isLeading = Atomic(false)
    /// Called between the steps of the work, for tests that end the process there.
    let afterStep: (@Sendable (String) -> Void)?

    /// Opens the journal. Nothing is done before ``start()``.
    ///
    /// - Throws: a sentence for an operator, if the journal or the key of links cannot be read.
    public convenience init(
        _ configuration: Configuration, settings: Settings, sinks: Sinks = Sinks()
    ) throws(OnCallStartError) {
        try self.init(configuration, settings: settings, sinks: sinks, afterStep: nil)
    }

    /// - Parameter afterStep: called between the steps of the work.
    package init(
        _ configuration: Configuration, settings: Settings, sinks: Sinks, afterStep: (@Sendable (String) -> Void)?
    ) throws(OnCallStartError) {
        self.settings = settings
        self.sinks = sinks
        self.afterStep = afterStep
        logger = settings.logger.with("component", "oncall")
        current = Mutex(
            Current(
                configuration: configuration, links: try Self.links(configuration, settings),
                push: try Self.push(configuration, settings)))
        do throws(DurableError) {
            journal = Mutex(try PageJournal(path: "\(settings.directory)/pages.journal", logger: logger))
        } catch {
            throw OnCallStartError(error.description)
        }
        instruments = OnCallInstruments(settings.registry)
        calendars = CalendarReader(settings, events)
        settings.registry.onSnapshot { [weak self] in
            guard let self else { return }
            instruments.show(book, isLeading: isLeading.load(ordering: .relaxed), at: Self.wall)
        }
    }

    private static func links(
        _ configuration: Configuration, _ settings: Settings
    ) throws(OnCallStartError) -> PageLinks {
        do throws(PageLinksError) {
            return try PageLinks.load(configuration.onCall.linkKeyFile ?? "\(settings.directory)/links.key")
        } catch {
            throw OnCallStartError(error.description)
        }
    }

    /// Starts the thread, which continues where the journal ends. Call it once.
    public func start() throws(WorkerThread.StartError) {
        guard let journal = journal.withLock({ $0.take() }) else { return }
        let box = PageJournalBox(journal)
        let worker = try WorkerThread("oncall") { [self] in
            var course = OnCallCourse(box.take(), runner: self)
            course.run()
        }
        thread.withLock { $0 = worker }
        try calendars.start(current.withLock { $0.configuration.onCall.roster })
    }

    /// Stops the threads after the messages in progress. Calls that wait are sent by the next process.
    public func stop() {
        isStopping.store(true, ordering: .relaxed)
        calendars.stop()
        let receiverQueues = self.receiverQueues.withLock { Array($0.values) }
        for queue in receiverQueues { queue.close() }
        for queue in receiverQueues { queue.join() }
        if let digests = digestQueue.withLock({ $0.take() }) {
            digests.close()
            digests.join()
        }
        events.close()
        thread.withLock { $0.take() }?.join()
    }

    /// Takes over a configuration that was read again. Every page goes on. A key that cannot be read is logged, and the
    /// former one stays in force.
    public func reload(_ configuration: Configuration) {
        current.withLock { $0.configuration = configuration }
        do throws(OnCallStartError) {
            let links = try Self.links(configuration, settings)
            current.withLock { $0.links = links }
        } catch {
            logger.error("the key of links was not read again", ["error": error.description])
        }
        do throws(OnCallStartError) {
            let push = try Self.push(configuration, settings)
            current.withLock { $0.push = push }
        } catch {
            logger.error("the key for browsers was not read again", ["error": error.description])
        }
        events.send(.reconfigured)
        calendars.reload(configuration.onCall.roster)
    }

    /// Lets the receivers that open pages do so: each gets an integration besides those it has.
    public func join(_ receivers: inout [String: Receiver], _ configuration: OnCallConfiguration) {
        for (name, choice) in configuration.receivers {
            receivers[name]?.integrations.append(
                Integration(OnCallIntegration(receiver: name, choice: choice, runner: self)))
        }
    }

    // MARK: Requests

    /// Every page as it stands now: a copy that costs nothing until something changes.
    public var book: PageBook { published.withLock { $0 } }

    /// The people who act on groups of alerts, by the receiver and the key of the group with a `/` between them.
    public var acknowledgements: [String: String] {
        var people: [String: String] = [:]
        for entry in book.entries.values {
            guard case .acknowledged(let person, _) = entry.page.state,
                let group = OnCallIntegration.group(of: entry.page.key)
            else { continue }
            people[group] = person
        }
        return people
    }

    /// The integrations in force.
    public var integrations: [InboundIntegration] { current.withLock { $0.configuration.onCall.integrations } }

    /// Opens the text of a signed link.
    public func link(_ token: String) throws(PageLinks.Refusal) -> PageLinks.Link {
        try current.withLock { $0.links }.open(token, at: Self.wall)
    }

    /// The text that opens the calendar of `person`.
    public func calendarToken(of person: String) -> String { current.withLock { $0.links }.calendarToken(of: person) }

    /// The person whose calendar `token` opens.
    public func person(ofCalendar token: String) -> String? {
        current.withLock { $0.links }.person(ofCalendar: token)
    }

    /// A source says something about a problem. Returns when what follows is journalled.
    public func receive(_ signal: Signal) throws(OnCallRefusal) {
        let answer = Mailbox<OnCallRefusal?>(capacity: 1)
        guard events.count < Limit.signals, events.send(.signal(signal, answer)) else {
            instruments.refused.add()
            throw .full
        }
        switch answer.receive(deadline: SystemClock.monotonicNanoseconds() + Limit.answerNanoseconds) {
        case .message(nil): return
        case .message(let refusal?): throw refusal
        case .timedOut, .closed: throw .late
        }
    }

    /// A person gives an order. Returns when it is journalled.
    public func order(_ order: PageOrder, page: String) throws(OnCallRefusal) -> PageOutcome {
        try answer { .order(order, page: page, $0) }
    }

    /// A person gives an order about a schedule. Returns when it is journalled.
    public func order(_ order: ScheduleOrder) throws(OnCallRefusal) -> ScheduleOutcome {
        try answer { .scheduleOrder(order, $0) }
    }

    func answer<Outcome: Sendable>(
        _ event: (Mailbox<Result<Outcome, OnCallRefusal>>) -> Event
    ) throws(OnCallRefusal) -> Outcome {
        let answer = Mailbox<Result<Outcome, OnCallRefusal>>(capacity: 1)
        guard events.count < Limit.signals, events.send(event(answer)) else { throw .full }
        switch answer.receive(deadline: SystemClock.monotonicNanoseconds() + Limit.answerNanoseconds) {
        case .message(let result): return try result.get()
        case .timedOut, .closed: throw .late
        }
    }

    /// Asks the thread of the machine whether it turns over, through the queue of its work. The pulse has the answer.
    public func probe() -> [Pulse] {
        if pulse.ask() { events.send(.probe(pulse)) }
        return [pulse]
    }

    static var wall: Timestamp { Timestamp(milliseconds: SystemClock.wallMilliseconds()) }
}

/// Why a signal or an order was not carried out. The caller may try again.
public enum OnCallRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    /// Another node acts, or none yet.
    case notLeading
    /// There are too many pages, or the queue is full.
    case full
    /// The machine did not answer in time. It may still carry it out.
    case late

    /// A sentence for a person.
    public var description: String {
        switch self {
        case .notLeading: "this node does not act for on-call now"
        case .full: "too many pages are open"
        case .late: "on-call did not answer in time"
        }
    }
}

/// Why on-call cannot start: a sentence for an operator.
public struct OnCallStartError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The sentence.
    public var description: String

    init(_ description: String) { self.description = description }
}

/// Carries the journal to the thread that uses it.
private final class PageJournalBox: Sendable {
    private let journal: Mutex<PageJournal?>

    init(_ journal: consuming PageJournal) { self.journal = Mutex(journal) }

    func take() -> PageJournal? { journal.withLock { $0.take() } }
}
