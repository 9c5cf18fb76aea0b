internal import Runtime

/// The command line of Prometheus, where it differs from that of `tribune serve`.
enum PrometheusFlags {
    /// Prometheus's names of options with other names here.
    static let aliases = [
        "storage.tsdb.path": "storage.path", "storage.tsdb.retention": "storage.retention.time",
        "storage.tsdb.retention.time": "storage.retention.time",
        "storage.tsdb.retention.size": "storage.retention.size",
    ]

    /// Options that are accepted without effect: they configure Go's runtime, parts of Prometheus's database, pages
    /// that do not exist here, or settings that another section of the configuration decides.
    static let withoutEffect: [Command.Option] =
        [
            "auto-gomemlimit.ratio", "config.auto-reload-interval", "web.read-timeout",
            "web.max-notifications-subscribers", "web.user-assets", "web.local-assets",
            "web.remote-write-receiver.accepted-protobuf-messages", "web.console.templates", "web.console.libraries",
            "web.page-title", "web.cors.origin", "storage.tsdb.min-block-duration", "storage.tsdb.max-block-duration",
            "storage.tsdb.wal-segment-size", "storage.tsdb.wal-compression-type",
            "storage.tsdb.head-chunks-write-queue-size", "storage.tsdb.samples-per-chunk",
            "storage.tsdb.retention.percentage", "storage.tsdb.delay-compact-file.path",
            "storage.tsdb.block-reload-interval", "storage.agent.path", "storage.agent.wal-segment-size",
            "storage.agent.wal-truncate-frequency", "storage.agent.retention.min-time",
            "storage.agent.retention.max-time", "storage.remote.flush-deadline", "storage.remote.read-sample-limit",
            "storage.remote.read-concurrent-limit", "storage.remote.read-max-bytes-in-frame",
            "rules.max-concurrent-evals", "scrape.timestamp-tolerance", "scrape.discovery-reload-interval",
            "scrape.name-escaping-scheme", "alertmanager.notification-queue-capacity",
            "alertmanager.notification-batch-size", "alertmanager.timeout",
        ].map { .value($0, "VALUE", "") }
        + [
            "auto-gomaxprocs", "auto-gomemlimit", "otlp.native-delta-ingestion",
            "storage.tsdb.no-lockfile", "storage.tsdb.use-lockfile", "storage.tsdb.wal-compression",
            "storage.tsdb.allow-overlapping-blocks", "storage.tsdb.allow-overlapping-compaction",
            "storage.agent.wal-compression", "storage.agent.no-lockfile", "storage.agent.use-lockfile",
            "scrape.adjust-timestamps", "alertmanager.drain-notification-queue-on-shutdown",
        ].map { .flag($0, "") }

    /// The arguments of `tribune` for a program named `program`. As `prometheus`, for example started by the service of
    /// a distribution, it is `serve` with the defaults of Prometheus and of Debian's package.
    static func arguments(_ program: String, _ arguments: [String]) -> [String] {
        guard program.split(separator: "/").last == "prometheus" else { return arguments }
        if arguments.contains("--version") { return ["version"] }
        func has(_ names: String...) -> Bool {
            arguments.contains { argument in names.contains { argument == $0 || argument.hasPrefix($0 + "=") } }
        }
        var defaults: [String] = []
        if !has("--config.file") {
            let usual = "/etc/prometheus/prometheus.yml"
            defaults.append("--config.file=\(Paths.exists(usual) ? usual : "prometheus.yml")")
        }
        if !has("--storage.path", "--storage.tsdb.path") {
            let usual = "/var/lib/prometheus"
            defaults.append("--storage.path=\(Paths.exists(usual) ? "\(usual)/metrics2" : "data")")
        }
        if !has("--web.listen-address") { defaults.append("--web.listen-address=0.0.0.0:9090") }
        return ["serve"] + defaults + arguments
    }
}
