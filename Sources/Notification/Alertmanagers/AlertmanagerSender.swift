public import Instrumentation
internal import MetricModel
public import RuleModel
public import Runtime
internal import Synchronization

/// Sends alerts to Alertmanagers, each of which gets all of them. Any thread may hand in alerts; none waits for a
/// server.
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

    /// Replaces the settings. Alerts queued for a server that stays are kept.
    ///
    /// Throws, with the former settings in force, if the thread of a new server cannot be started.
    public func reload(_ settings: AlertmanagerSettings) throws(WorkerThread.StartError) {
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
        try state.withLock { (state) throws(WorkerThread.StartError) in
            let former = state.lines
            let fresh = try start(servers.filter { server in !former.contains { $0.url == server.url } })
            state.lines = servers.compactMap { server in
                let line = (former + fresh).first { $0.url == server.url }
                line?.server.withLock { $0 = server }
                return line
            }
            let obsolete = former.filter { line in !servers.contains { $0.url == line.url } }
            for line in obsolete { line.close(abandoning: true) }
            state.ending += obsolete
            state.settings = settings
        }
    }

    /// Starts the threads of all `servers` or of none.
    private func start(_ servers: [AlertmanagerServer]) throws(WorkerThread.StartError) -> [AlertmanagerLine] {
        var lines: [AlertmanagerLine] = []
        do throws(WorkerThread.StartError) {
            for server in servers { lines.append(try AlertmanagerLine(server, logger: logger, registry: registry)) }
            return lines
        } catch {
            for line in lines { line.close(abandoning: true) }
            for line in lines { line.join() }
            throw error
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
