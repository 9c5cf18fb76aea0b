internal import Durable
internal import Instrumentation
internal import MetricModel
internal import OnCall
internal import Runtime
internal import Synchronization
internal import TLS

/// Why a calendar could not be fetched: a sentence without secrets.
public struct CalendarFetchError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The sentence.
    public var description: String

    /// An error.
    public init(_ description: String) { self.description = description }
}

/// Reads the calendars of schedules again and again, on a thread of its own.
///
/// The last calendar that could be read stays in force, also across a restart: its file is kept in the directory of the
/// pages. May be used from any thread.
final class CalendarReader: Sendable {
    /// A calendar as the thread knows it.
    private struct Reading {
        var source: CalendarSource
        var file: CalendarFile?
        /// By the monotonic clock.
        var dueAt: Int64 = 0
    }

    /// The time to the next attempt after a failure, unless the calendar is read more often.
    private static let retryNanoseconds: Int64 = 60_000_000_000

    private let settings: OnCallRunner.Settings
    private let events: Mailbox<OnCallRunner.Event>
    private let logger: Logger
    private let roster = Mutex(Roster())
    private let wakes = Mailbox<Bool>(capacity: 1)
    private let isStopping = Atomic(false)
    private let thread = Mutex<WorkerThread?>(nil)
    /// Since when the calendar of a schedule cannot be read, by the monotonic clock; 0 while it can.
    private let failing = Mutex<[String: Int64]>([:])

    init(_ settings: OnCallRunner.Settings, _ events: Mailbox<OnCallRunner.Event>) {
        self.settings = settings
        self.events = events
        logger = settings.logger.with("component", "oncall")
        settings.registry.onSnapshot { [weak self] in self?.show() }
    }

    /// Starts the thread. Call it once.
    func start(_ roster: Roster) throws(WorkerThread.StartError) {
        self.roster.withLock { $0 = roster }
        let worker = try WorkerThread("calendars") { [self] in run() }
        thread.withLock { $0 = worker }
    }

    /// Other schedules are in force.
    func reload(_ roster: Roster) {
        self.roster.withLock { $0 = roster }
        wakes.send(true)
    }

    func stop() {
        isStopping.store(true, ordering: .relaxed)
        wakes.close()
        thread.withLock { $0.take() }?.join()
    }

    // MARK: Thread

    private func run() {
        var readings: [String: Reading] = [:]
        adopt(&readings)
        while true {
            for name in readings.keys.sorted() {
                guard !isStopping.load(ordering: .relaxed) else { return }
                guard var reading = readings[name], reading.dueAt <= SystemClock.monotonicNanoseconds() else {
                    continue
                }
                readings[name] = nil
                read(name, &reading)
                readings[name] = reading
            }
            switch wakes.receive(deadline: readings.values.map(\.dueAt).min()) {
            case .closed: return
            case .timedOut: break
            case .message: adopt(&readings)
            }
        }
    }

    /// Begins with calendars that are new, from their kept files, and forgets those that are gone.
    private func adopt(_ readings: inout [String: Reading]) {
        let roster = roster.withLock { $0 }
        let sources = roster.schedules.compactMapValues(\.source)
        for name in readings.keys where sources[name] != readings[name]?.source {
            readings[name] = nil
            failing.withLock { $0[name] = nil }
            forgetMetrics(name)
        }
        var kept: Set<String> = []
        for (name, source) in sources {
            let path = path(name, source)
            kept.insert(path)
            if readings[name] != nil {
                readings[name]?.dueAt = 0
                continue
            }
            var reading = Reading(source: source)
            // A missing file is the usual case, and a damaged one is replaced by the next reading.
            if let bytes = try? FileText.bytes(path, limit: CalendarFile.byteLimit) {
                // The same here.
                reading.file = try? CalendarFile(bytes)
            }
            _ = publish(name, reading.file)
            readings[name] = reading
        }
        for path in Paths.matching("\(settings.directory)/calendar-*.ics") where !kept.contains(path) {
            Paths.remove(path)
        }
    }

    private func read(_ name: String, _ reading: inout Reading) {
        let now = SystemClock.monotonicNanoseconds()
        let refresh = reading.source.refresh.rawValue * 1_000_000
        do throws(CalendarFetchError) {
            let bytes = try settings.fetch(reading.source) { [self] in isStopping.load(ordering: .relaxed) }
            let file: CalendarFile
            do throws(CalendarError) { file = try CalendarFile(bytes) } catch {
                throw CalendarFetchError(error.description)
            }
            guard let unknown = publish(name, file) else { throw CalendarFetchError("the machine is too busy") }
            if file != reading.file { keep(bytes, at: path(name, reading.source)) }
            reading.file = file
            reading.dueAt = now + refresh
            failing.withLock { $0[name] = 0 }
            count(name, "read")
            if !unknown.isEmpty {
                logger.warn(
                    "events of a calendar name nobody, or more than one person",
                    ["schedule": name, "lines": unknown.map(String.init).joined(separator: ",")])
            }
        } catch {
            if isStopping.load(ordering: .relaxed) { return }
            reading.dueAt = now + min(refresh, Self.retryNanoseconds)
            failing.withLock { if ($0[name] ?? 0) == 0 { $0[name] = now } }
            count(name, "failed")
            logger.error(
                "calendar not read; the last one stays in force", ["schedule": name, "error": error.description])
            // Time goes on, and so does the part of the calendar that counts.
            _ = publish(name, reading.file)
        }
    }

    /// Gives the shifts of a calendar to the machine. Returns the lines of events that name nobody; `nil` if they
    /// cannot be given.
    private func publish(_ name: String, _ file: CalendarFile?) -> [Int]? {
        guard let file else { return [] }
        let roster = roster.withLock { $0 }
        guard let schedule = roster.schedules[name] else { return [] }
        let window = CalendarSource.window(at: OnCallRunner.wall)
        do throws(CalendarError) {
            let reading = try file.shifts(in: window, zone: schedule.zone, people: CalendarPeople(roster))
            settings.registry.gauge(Self.unknown.name, Self.unknown.help, labels: ["schedule": name])
                .set(Double(reading.unknownCount))
            return events.send(.calendar(schedule: name, reading.shifts)) ? reading.unknown : nil
        } catch {
            logger.error("calendar not usable", ["schedule": name, "error": error.description])
            return nil
        }
    }

    private func keep(_ bytes: [UInt8], at path: String) {
        do throws(DurableError) { try DurableFile.replace(path, by: bytes) } catch {
            logger.warn("calendar not kept for the next start", ["error": error.description])
        }
    }

    /// Another address or file is another calendar.
    private func path(_ name: String, _ source: CalendarSource) -> String {
        "\(settings.directory)/calendar-\(SHA256.hex("\(name)\n\(source.identity)").prefix(32)).ics"
    }

    // MARK: Metrics

    private static let reads = (
        name: "tribune_oncall_calendar_reads_total", help: "How often the calendar of a schedule was read, by outcome."
    )
    private static let unknown = (
        name: "tribune_oncall_calendar_unknown_events",
        help: "Events of the calendar of a schedule that name nobody, or more than one person."
    )
    private static let failure = (
        name: "tribune_oncall_calendar_failing_seconds",
        help: "For how long the calendar of a schedule could not be read; 0 if the last attempt succeeded."
    )

    private func count(_ name: String, _ outcome: String) {
        settings.registry.counter(Self.reads.name, Self.reads.help, labels: ["schedule": name, "outcome": outcome])
            .add()
    }

    private func show() {
        let now = SystemClock.monotonicNanoseconds()
        for (name, since) in failing.withLock({ $0 }) {
            settings.registry.gauge(Self.failure.name, Self.failure.help, labels: ["schedule": name])
                .set(since == 0 ? 0 : Double(now - since) / 1e9)
        }
    }

    private func forgetMetrics(_ name: String) {
        settings.registry.remove(Self.unknown.name, labels: ["schedule": name])
        settings.registry.remove(Self.failure.name, labels: ["schedule": name])
        for outcome in ["read", "failed"] {
            settings.registry.remove(Self.reads.name, labels: ["schedule": name, "outcome": outcome])
        }
    }
}
