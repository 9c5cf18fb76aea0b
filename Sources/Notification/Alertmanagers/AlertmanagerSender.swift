public import Instrumentation
internal import MetricModel
public import RuleEngine
public import Runtime
internal import Synchronization

/// Sends alerts to Alertmanagers, each of which gets all of them. Any thread may hand in alerts; none waits for a server.
///
/// Every server has a queue and a thread of its own, so that one that hangs holds up no other.
public final class AlertmanagerSender: Sendable {
    private struct State {
        var settings = AlertmanagerSettings()
        var lines: [AlertmanagerLine] = []
        /// Lines to servers that are not there any more; they end by themselves.
        var ending: [AlertmanagerLine] = []
    }

    /// The most servers that are sent to.
    public static let mostServers = 32

    private let state = Mutex(State())
    private let logger: Logger
    private let registry: Registry

    /// A sender without servers.
    public init(logger: Logger, registry: Registry) {
        self.logger = logger.with("component", "alertmanager")
        self.registry = registry
        registry.gauge("tribune_alertmanager_queue_capacity", "Alerts that may wait for one Alertmanager.").set(10_000)
    }

    /// The URLs that alerts are posted to.
    public var urls: [String] { state.withLock { $0.lines.map(\.url) } }

    /// Replaces the settings; what waits for a server that stays goes on waiting.
    public func reload(_ settings: AlertmanagerSettings) {
        var servers: [AlertmanagerServer] = []
        for server in settings.servers where !servers.contains(where: { $0.url == server.url }) {
            servers.append(server)
        }
        if servers.count > Self.mostServers {
            logger.warn(
                "alerts go to some of the Alertmanagers only",
                ["configured": servers.count, "used": Self.mostServers])
            servers.removeLast(servers.count - Self.mostServers)
        }
        state.withLock { state in
            var former = state.lines
            state.lines = servers.map { server in
                guard let index = former.firstIndex(where: { $0.url == server.url }) else {
                    return AlertmanagerLine(server, logger: logger, registry: registry)
                }
                let line = former.remove(at: index)
                line.server.withLock { $0 = server }
                return line
            }
            for line in former { line.close(abandoning: true) }
            state.ending += former
            state.settings = settings
        }
    }

    /// Hands in alerts.
    public func receive(_ alerts: [Alert]) {
        let (settings, lines) = state.withLock { ($0.settings, $0.lines) }
        guard !lines.isEmpty else { return }
        let seen = alerts.compactMap { alert in
            var labels = alert.labels
            for pair in settings.externalLabels.pairs where labels[pair.name] == nil {
                labels.set(pair.name, to: pair.value)
            }
            return Self.relabelled(alert, settings.relabel(labels))
        }
        for line in lines {
            let relabel = line.server.withLock { $0.relabel }
            line.receive(seen.compactMap { Self.relabelled($0, relabel($0.labels)) })
        }
    }

    /// Sends what waits to the servers that answer, then ends.
    public func stop() {
        let (lines, ending) = state.withLock { state in
            defer { state = State() }
            return (state.lines, state.ending)
        }
        for line in lines { line.close(abandoning: false) }
        for line in lines + ending { line.join() }
    }

    private static func relabelled(_ alert: Alert, _ labels: Labels?) -> Alert? {
        guard let labels, labels.count > 0 else { return nil }
        var alert = alert
        alert.labels = labels
        return alert
    }
}
