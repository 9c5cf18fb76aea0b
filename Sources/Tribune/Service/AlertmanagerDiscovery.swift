internal import Discovery
internal import Instrumentation
internal import Notification
internal import Runtime
internal import Scraper
internal import Synchronization

/// Maintains the list of Alertmanagers that get alerts: those of the configuration and those that discovery finds. May
/// be shared between threads.
final class AlertmanagerDiscovery: Sendable {
    private let current: Current
    private let discovery: DiscoveryRunner

    /// - Parameter sender: gets the list whenever it changes.
    init(_ sender: AlertmanagerSender, registry: Registry, logger: Logger) {
        let current = Current(sender, logger)
        self.current = current
        discovery = DiscoveryRunner(registry: registry, logger: logger) { discovery in
            do throws(WorkerThread.StartError) {
                try current.publish(discovery)
            } catch {
                logger.error("alertmanagers not reloaded", ["error": error.description])
            }
        }
    }

    /// Applies a configuration.
    func reload(_ configuration: LoadedConfiguration) throws(WorkerThread.StartError) {
        current.configuration.withLock { $0 = configuration }
        discovery.reload(configuration.prometheus.alertmanagers.flatMap(\.discovery))
        try current.publish(discovery)
    }

    /// Stops discovery. Call it once.
    func stop() { discovery.stop() }
}

/// The current configuration, with the sender that uses it.
private final class Current: Sendable {
    let configuration = Mutex<LoadedConfiguration?>(nil)
    private let sender: AlertmanagerSender
    private let logger: Logger
    /// Those of the last list, which are not logged again.
    private let problems = Mutex<[String]>([])

    init(_ sender: AlertmanagerSender, _ logger: Logger) {
        self.sender = sender
        self.logger = logger
    }

    private func note(_ found: [String]) {
        let known = problems.withLock { problems in
            defer { problems = found }
            return problems
        }
        for problem in found where !known.contains(problem) {
            logger.warn("alertmanager rejected", ["error": problem])
        }
    }

    func publish(_ discovery: DiscoveryRunner) throws(WorkerThread.StartError) {
        // Locked throughout, so that an older list never replaces a newer one.
        try configuration.withLock { (configuration) throws(WorkerThread.StartError) in
            guard let configuration else { return }
            let wanted: AlertmanagerSettings
            do throws(RelabelError) {
                let found = try configuration.alertmanagers(discovery.finding)
                wanted = found.settings
                note(found.problems)
            } catch {
                logger.error("alertmanagers not reloaded", ["error": error.description])
                return
            }
            try sender.reload(wanted)
        }
    }
}
