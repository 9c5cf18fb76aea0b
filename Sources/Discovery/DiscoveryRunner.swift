internal import CurlHTTP
public import Instrumentation
public import Runtime
internal import Synchronization

/// Runs discovery mechanisms, each on its own thread, and stores their results. May be shared between threads.
///
/// A mechanism used by several jobs with the same settings runs once. A failure keeps the targets found before.
public final class DiscoveryRunner: Sendable {
    /// The result of a mechanism.
    public struct Finding: Sendable {
        /// Changes whenever `groups` does.
        public var version = 0
        /// The groups by their source.
        public var groups: [String: TargetGroup] = [:]
        /// Whether the mechanism has a first result or failure.
        public var hasAnswered = false
    }

    /// How long a reload waits for the first results of new mechanisms, so that targets do not disappear for a moment.
    private static let patience: Int64 = 2_000_000_000

    private let state = Mutex<[Provider]>([])
    /// Stopped, but not joined yet.
    private let retired = Mutex<[Provider]>([])
    private let metrics: DiscoveryMetrics
    private let logger: Logger
    private let onChange: @Sendable (DiscoveryRunner) -> Void

    /// - Parameter onChange: called with the runner on the thread of a mechanism after each change; must return
    ///   quickly.
    public init(
        registry: Registry, logger: Logger = .silent, onChange: @escaping @Sendable (DiscoveryRunner) -> Void = { _ in }
    ) {
        metrics = DiscoveryMetrics(registry)
        self.logger = logger
        self.onChange = onChange
    }

    /// Starts new mechanisms, and stops removed ones. Waits at most two seconds for first results.
    public func reload(_ mechanisms: [DiscoveryMechanism]) {
        var wanted: [DiscoveryMechanism] = []
        for mechanism in mechanisms where !wanted.contains(mechanism) { wanted.append(mechanism) }
        let fresh = state.withLock { providers in
            let gone = providers.filter { !wanted.contains($0.mechanism) }
            for provider in gone { provider.stop.raise() }
            retired.withLock { $0 += gone }
            providers.removeAll { !wanted.contains($0.mechanism) }
            let known = providers.map(\.mechanism)
            let fresh = wanted.filter { !known.contains($0) }.map { Provider($0) }
            providers += fresh
            return fresh
        }
        for provider in fresh { start(provider) }
        let deadline = SystemClock.monotonicNanoseconds() + Self.patience
        for provider in fresh { provider.waitForAnswer(until: deadline) }
        joinFinished()
    }

    /// The present result of `mechanism`.
    public func finding(of mechanism: DiscoveryMechanism) -> Finding {
        state.withLock { $0.first { $0.mechanism == mechanism } }?.finding.withLock { $0 } ?? Finding()
    }

    /// Ends all threads. Must be called once.
    public func stop() {
        reload([])
        for provider in retired.withLock({ $0 }) { provider.join() }
    }

    private func start(_ provider: Provider) {
        let session = DiscoverySession(
            stop: provider.stop, client: HTTPClient(),
            update: { [self] groups in note(provider) { $0.merge(groups) } },
            replace: { [self] groups in note(provider) { $0.replace(groups) } },
            fail: { [self] error in failed(provider, error) })
        let name = provider.mechanism.name
        metrics.watch(name)
        do throws(WorkerThread.StartError) {
            try provider.start("sd-\(name)") { provider.mechanism.discoverer.run(session) }
        } catch {
            failed(provider, DiscoveryError(error.description))
        }
    }

    private func note(_ provider: Provider, _ change: (inout Finding) -> Bool) {
        metrics.refreshed(provider.mechanism.name)
        let hasChanged = provider.finding.withLock { finding in
            let isFirst = !finding.hasAnswered
            finding.hasAnswered = true
            let hasChanged = change(&finding)
            if hasChanged { finding.version += 1 }
            return hasChanged || isFirst
        }
        provider.answered()
        if hasChanged, !provider.stop.isRaised { onChange(self) }
    }

    private func failed(_ provider: Provider, _ error: DiscoveryError) {
        metrics.failed(provider.mechanism.name)
        logger.warn(
            "target discovery failed, the targets found before are kept",
            ["mechanism": provider.mechanism.name, "reason": error.description])
        provider.finding.withLock { $0.hasAnswered = true }
        provider.answered()
    }

    private func joinFinished() {
        let finished = retired.withLock { providers in
            let finished = providers.filter(\.hasFinished)
            providers.removeAll { $0.hasFinished }
            return finished
        }
        for provider in finished { provider.join() }
    }
}

extension DiscoveryRunner.Finding {
    /// Updates groups, each replacing the one with its source. Returns whether anything changed.
    mutating func merge(_ groups: [TargetGroup]) -> Bool {
        var hasChanged = false
        for group in groups {
            let next = group.targets.isEmpty ? nil : group
            guard self.groups[group.source] != next else { continue }
            self.groups[group.source] = next
            hasChanged = true
        }
        return hasChanged
    }

    /// Replaces all groups. Returns whether anything changed.
    mutating func replace(_ groups: [TargetGroup]) -> Bool {
        let next = Dictionary(groups.filter { !$0.targets.isEmpty }.map { ($0.source, $0) }) { $1 }
        guard next != self.groups else { return false }
        self.groups = next
        return true
    }
}

/// A mechanism with its thread. May be shared between threads.
private final class Provider: Sendable {
    let mechanism: DiscoveryMechanism
    let stop = StopSignal()
    let finding = Mutex(DiscoveryRunner.Finding())
    private let firstAnswer = Mailbox<Bool>(capacity: 1)
    private let thread = Mutex<WorkerThread?>(nil)
    private let finished = Atomic(false)

    init(_ mechanism: DiscoveryMechanism) {
        self.mechanism = mechanism
    }

    var hasFinished: Bool { finished.load(ordering: .acquiring) }

    func start(_ name: String, _ body: @escaping @Sendable () -> Void) throws(WorkerThread.StartError) {
        let thread = try WorkerThread(name) { [self] in
            body()
            finished.store(true, ordering: .releasing)
        }
        self.thread.withLock { $0 = thread }
    }

    func answered() { firstAnswer.close() }

    func waitForAnswer(until deadline: Int64) { _ = firstAnswer.receive(deadline: deadline) }

    func join() { thread.withLock { $0 }?.join() }
}
