internal import Glibc
internal import Identity
internal import PrometheusAPI
internal import Runtime

/// `tribune serve`: the service itself.
enum ServeCommand {
    static let command = Command(
        "serve", "Run the service.", options: ServiceSettings.options, aliases: PrometheusFlags.aliases,
        withoutEffect: PrometheusFlags.withoutEffect,
        details: """
            SIGHUP reloads the configuration; an invalid one is refused and the former one stays in force. SIGTERM and SIGINT stop
            the service.

            The flags of Prometheus are accepted under their names. --storage.tsdb.path and --storage.tsdb.retention.* are those of
            --storage.*; a log line names each one that has no effect. A program that is called prometheus, for instance by a
            symbolic link, is "tribune serve" with the defaults of Prometheus.
            """
    ) { (invocation) throws(CommandFailure) in
        let settings = try ServiceSettings(invocation)
        let logger = try invocation.logger()
        for option in PrometheusFlags.withoutEffect where invocation.options[option.name] != nil {
            logger.info("a flag of Prometheus has no effect", ["flag": "--\(option.name)"])
        }
        for name in settings.features.withoutEffect {
            logger.warn("a feature of --enable-feature has no effect", ["feature": name])
        }
        Signals.block(ServiceLoop.signals)
        let loop = ServiceLoop()
        let service = try TribuneService(
            settings, logger: logger, onReload: { loop.requestReload(by: $0) }, onQuit: { loop.requestEnd() })
        loop.run(service)
        service.stop()
        return 0
    }
}

/// Waits for signals and for requests of `/-/reload` and `/-/quit`, and handles them on the thread that owns the
/// service.
final class ServiceLoop: Sendable {
    /// The signals that `run` waits for. They must be blocked before any thread is started.
    static let signals = [SIGHUP, SIGINT, SIGTERM, SIGUSR1]

    private struct Reload: Sendable {
        let principal: Principal
        let answer = Mailbox<ConfigurationReload>(capacity: 1)
    }

    private let reloads = Mailbox<Reload>(capacity: 16)

    /// Requests a reload by `principal` and waits for it. Called on other threads than `run`.
    func requestReload(by principal: Principal) -> ConfigurationReload {
        let reload = Reload(principal: principal)
        guard reloads.send(reload) else { return .failed("too many reloads are waiting") }
        kill(getpid(), SIGUSR1)
        guard case .message(let outcome) = reload.answer.receive() else { return .failed("the service is stopping") }
        return outcome
    }

    /// Requests a regular stop.
    func requestEnd() {
        kill(getpid(), SIGTERM)
    }

    /// Serves until a stop is requested.
    func run(_ service: TribuneService) {
        while let signal = Signals.wait(for: Self.signals) {
            switch signal {
            case SIGHUP: _ = service.reload()
            case SIGUSR1: answerReloads(service)
            default:
                reloads.close()
                while case .message(let waiting) = reloads.receive() { waiting.answer.close() }
                return
            }
        }
    }

    private func answerReloads(_ service: TribuneService) {
        let now = SystemClock.monotonicNanoseconds()
        while case .message(let waiting) = reloads.receive(deadline: now) {
            waiting.answer.send(service.reload(for: waiting.principal))
        }
    }
}
