internal import ConfigurationFields
internal import CurlHTTP
internal import Instrumentation
internal import MetricModel
internal import Runtime
internal import Synchronization

/// Pings an address outside while the threads that scrape, evaluate, shift traffic, notify and call people turn over.
/// The service there misses the ping when one of them stands still, or the whole process, machine or network.
///
/// The threads answer for themselves: each is asked through the queue of its work. May be used from any thread.
final class DeadMansSwitch: Sendable {
    /// The time between two looks at the answers.
    private static let lookNanoseconds: Int64 = 50_000_000

    private let settings: Mutex<DeadMansSwitchSettings?>
    private let probe: @Sendable () -> [Pulse]
    private let client = HTTPClient()
    private let logger: Logger
    private let sent: Counter
    private let failed: Counter
    private let withheld: Counter
    private let wakes = Mailbox<Bool>(capacity: 1)
    private let isStopping = Atomic(false)
    private let thread = Mutex<WorkerThread?>(nil)

    /// A switch that asks the threads behind `probe`.
    init(
        _ settings: DeadMansSwitchSettings?, registry: Registry, logger: Logger,
        probe: @escaping @Sendable () -> [Pulse]
    ) {
        self.settings = Mutex(settings)
        self.probe = probe
        self.logger = logger.with("component", "dead man's switch")
        let name = "tribune_dead_mans_switch_pings_total"
        let help = "Pings of the dead man's switch, by outcome; withheld means that a thread stands still."
        sent = registry.counter(name, help, labels: ["outcome": "sent"])
        failed = registry.counter(name, help, labels: ["outcome": "failed"])
        withheld = registry.counter(name, help, labels: ["outcome": "withheld"])
    }

    func start() throws(WorkerThread.StartError) {
        let worker = try WorkerThread("dead-man") { [self] in run() }
        thread.withLock { $0 = worker }
    }

    /// Other settings are in force, at once.
    func reload(_ settings: DeadMansSwitchSettings?) {
        self.settings.withLock { $0 = settings }
        wakes.send(true)
    }

    func stop() {
        isStopping.store(true, ordering: .relaxed)
        wakes.close()
        thread.withLock { $0.take() }?.join()
    }

    private func run() {
        while true {
            let settings = settings.withLock { $0 }
            let began = SystemClock.monotonicNanoseconds()
            if let settings { turn(settings, until: began + settings.within.rawValue * 1_000_000) }
            let next = settings.map { began + $0.every.rawValue * 1_000_000 }
            if case .closed = wakes.receive(deadline: next) { return }
        }
    }

    /// Asks every thread, and pings if all answer in time.
    private func turn(_ settings: DeadMansSwitchSettings, until deadline: Int64) {
        let pulses = probe()
        while !pulses.allSatisfy(\.isAnswered), SystemClock.monotonicNanoseconds() < deadline {
            // Closed at the stop; otherwise this waits for the next look.
            if case .closed = wakes.receive(deadline: SystemClock.monotonicNanoseconds() + Self.lookNanoseconds) {
                return
            }
        }
        let still = pulses.filter { !$0.isAnswered }.map(\.name)
        guard still.isEmpty else {
            withheld.add()
            logger.error("ping withheld: a thread stands still", ["threads": still.joined(separator: ", ")])
            return
        }
        do throws(HTTPFailure) {
            var request = HTTPRequest(url: try settings.url.read(), headers: [("User-Agent", "Tribune")])
            request.timeoutMilliseconds = min(30_000, settings.every.rawValue)
            request.maximumBodyBytes = 1 << 20
            try settings.http.apply(to: &request)
            let response = try client.send(request) { [self] in isStopping.load(ordering: .relaxed) }
            guard (200..<300).contains(response.status) else {
                throw HTTPFailure(.other, "expected status 2xx, got \(response.status)")
            }
            sent.add()
        } catch {
            if isStopping.load(ordering: .relaxed) { return }
            failed.add()
            logger.warn("ping failed", ["error": error.message])
        }
    }
}
