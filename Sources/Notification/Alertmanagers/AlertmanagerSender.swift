public import Instrumentation
internal import MetricModel
public import RuleModel
public import Runtime
internal import Synchronization

/// Sends all alerts to each of several Alertmanagers. May be called from any thread; callers never wait for a server.
///
/// Every server has its own queue and thread, so that a server that hangs does not delay others.
public final class AlertmanagerSender: Sendable {
    private struct State {
        var settings = AlertmanagerSettings()
        var lines: [AlertmanagerLine] = []
        /// Lines to removed servers. They end on their own.
        var ending: [AlertmanagerLine] = []
    }

    /// The maximum number of servers.
    public static let mostServers = 32

    private let state = Mutex(State())
    private let logger: Logger
    private let registry: Registry

    /// A sender without servers.
    public init(logger: Logger, registry: Registry) {
        self.logger = logger.with("component", "alertmanager")
        self.registry = registry
        registry.gauge("tribune_alertmanager_queue_capacity", "Limit of waiting alerts per Alertmanager.").set(10_000)
    }

    /// The URLs to which alerts are posted.
    public var urls: [String] { state.withLock { $0.lines.map(\.url) } }

    /// Replaces the settings. Alerts queued for a server that is still configured are kept.
    ///
    /// If the thread of a new server cannot be started, throws and keeps the former settings.
    public func reload(_ settings: AlertmanagerSettings) throws(WorkerThread.StartError) {
        var servers: [AlertmanagerServer] = []
        for server in settings.servers where !servers.contains(where: { $0.url == server.url }) {
            servers.append(server)
        }
        if servers.count > Self.mostServers {
            logger.warn(
                "too many Alertmanagers, some get no alerts",
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

    /// Starts the threads of all `servers`, or of none.
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

    /// Adds alerts to the queues.
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

    /// Sends the queued alerts to the servers that respond, then stops.
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
