internal import DeploymentGates
internal import JSON
internal import MetricModel
internal import Rollback
internal import RolloutRunner
internal import RuleModel
internal import Runtime
internal import Scraper
internal import Synchronization
public import WebCore
internal import WebServer

/// Sends changes of rollouts, alerts and targets to the clients of `/api/v1/events/stream`. Any thread may open a
/// stream; one thread runs ``work()``, which sleeps while there are no clients.
///
/// Events: `rollout` has a whole rollout; `alerts` and `targets` have a list of changes, in which an ended alert has
/// the state `inactive`; `reset` tells the client to read a list again, because there were too many changes at once.
public final class EventStreams: Sendable {
    private struct Listener {
        weak var stream: HTTPEventStream?
    }

    private struct State {
        var listeners: [Listener] = []
        /// Listeners that have not received the present state.
        var newcomers: [Listener] = []
    }

    /// The most open streams.
    private static let maximumListeners = 100
    private static let periodNanoseconds: Int64 = 250_000_000
    private static let heartbeatPeriods = 60

    private let sources: TribuneSources
    private let state = Mutex(State())
    private let wake = Mailbox<Void>(capacity: 1)

    init(_ sources: TribuneSources) {
        self.sources = sources
    }

    /// A response that stays open.
    func open() -> HTTPServerResponse {
        let stream = HTTPEventStream()
        let isOpen = state.withLock { state in
            state.listeners.removeAll { $0.stream == nil }
            guard state.listeners.count + state.newcomers.count < Self.maximumListeners else { return false }
            state.newcomers.append(Listener(stream: stream))
            return true
        }
        guard isOpen else { return .text("too many event streams are open\n", status: 503) }
        wake.send(())
        return stream.response
    }

    /// The thread that the streams need.
    public var background: WebRunner.Background {
        WebRunner.Background("http-events", work: { [self] in work() }, stop: { [self] in stop() })
    }

    /// Sends changes until ``stop()``.
    public func work() {
        var last = EventSnapshot()
        var periods = 0
        while true {
            if state.withLock({ $0.listeners.isEmpty && $0.newcomers.isEmpty }) {
                if case .closed = wake.receive() { break }
            }
            let present = EventSnapshot(sources)
            send(present.changes(since: last))
            welcome(present)
            last = present
            periods += 1
            if periods.isMultiple(of: Self.heartbeatPeriods) { beat() }
            if case .closed = wake.receive(deadline: SystemClock.monotonicNanoseconds() + Self.periodNanoseconds) {
                break
            }
        }
        for listener in state.withLock({ $0.listeners + $0.newcomers }) { listener.stream?.close() }
    }

    /// Ends every stream and ``work()``.
    public func stop() {
        wake.close()
    }

    private func send(_ events: [EventSnapshot.Event]) {
        let streams = state.withLock { state in
            state.listeners.removeAll { $0.stream == nil }
            return state.listeners.compactMap(\.stream)
        }
        for event in events {
            for stream in streams { stream.send(event: event.name, data: event.data) }
        }
    }

    /// Sends the present state to new listeners.
    private func welcome(_ present: EventSnapshot) {
        let newcomers = state.withLock { state in
            defer {
                state.listeners += state.newcomers
                state.newcomers = []
            }
            return state.newcomers.compactMap(\.stream)
        }
        if newcomers.isEmpty { return }
        for event in present.changes(since: EventSnapshot()) {
            for stream in newcomers { stream.send(event: event.name, data: event.data) }
        }
    }

    private func beat() {
        for stream in state.withLock({ $0.listeners.compactMap(\.stream) }) { stream.sendHeartbeat() }
    }
}

/// The state that event streams show at one time. A value.
struct EventSnapshot: Equatable {
    struct Event: Equatable {
        var name: String
        var data: String
    }

    private struct TargetKey: Hashable {
        var pool: String
        var url: String
        var labels: Labels
    }

    private struct TargetState: Equatable {
        var health: String
        var error: String
    }

    /// The most changes of one event.
    private static let maximumChanges = 500

    private var rollouts: [String: RolloutSnapshot] = [:]
    private var alerts: [Labels: String] = [:]
    private var targets: [TargetKey: TargetState] = [:]

    /// The empty state.
    init() {}

    /// The present state of `sources`.
    init(_ sources: TribuneSources) {
        for rollout in sources.rollouts() { rollouts[rollout.plan] = rollout }
        for alert in sources.alerts() { alerts[alert.labels] = alert.state.rawValue }
        for target in sources.targets() {
            targets[TargetKey(pool: target.scrapePool, url: target.scrapeURL, labels: target.labels)] =
                TargetState(health: target.health.rawValue, error: target.lastError)
        }
    }

    /// The events that lead from `last` to this state.
    func changes(since last: EventSnapshot) -> [Event] {
        rolloutEvents(last) + Self.list("alerts", alertChanges(last)) + Self.list("targets", targetChanges(last))
    }

    private func rolloutEvents(_ last: EventSnapshot) -> [Event] {
        let changed = rollouts.values.filter { last.rollouts[$0.plan] != $0 }
        let removed = last.rollouts.keys.filter { rollouts[$0] == nil }
        return changed.sorted { ByteOrder.precedes($0.plan, $1.plan) }.map { snapshot in
            var writer = JSONWriter()
            TribuneAPI.write(snapshot, into: &writer)
            return Event(name: "rollout", data: writer.text)
        }
            + removed.sorted(by: ByteOrder.precedes).map { plan in
                let gone: JSON = ["plan": .string(plan), "state": "removed"]
                return Event(name: "rollout", data: gone.encoded)
            }
    }

    private func alertChanges(_ last: EventSnapshot) -> [JSON] {
        let changed = alerts.filter { last.alerts[$0.key] != $0.value }
        let ended = last.alerts.keys.filter { alerts[$0] == nil }.map { ($0, "inactive") }
        return (changed.map { ($0.key, $0.value) } + ended).sorted { $0.0 < $1.0 }.map { labels, state in
            ["labels": Self.json(labels), "state": .string(state)]
        }
    }

    private func targetChanges(_ last: EventSnapshot) -> [JSON] {
        let changed = targets.filter { last.targets[$0.key] != $0.value }
        let removed = last.targets.keys.filter { targets[$0] == nil }.map {
            ($0, TargetState(health: "removed", error: ""))
        }
        let all = changed.map { ($0.key, $0.value) } + removed
        return all.sorted { $0.0.labels < $1.0.labels }.map { key, state in
            [
                "scrapePool": .string(key.pool), "scrapeUrl": .string(key.url), "labels": Self.json(key.labels),
                "health": .string(state.health), "lastError": .string(state.error),
            ]
        }
    }

    private static func json(_ labels: Labels) -> JSON {
        .object(labels.pairs.map { JSON.Member($0.name, .string($0.value)) })
    }

    private static func list(_ name: String, _ changes: [JSON]) -> [Event] {
        if changes.isEmpty { return [] }
        guard changes.count <= maximumChanges else {
            let list: JSON = ["list": .string(name)]
            return [Event(name: "reset", data: list.encoded)]
        }
        return [Event(name: name, data: JSON.array(changes).encoded)]
    }
}
