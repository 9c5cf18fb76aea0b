internal import PromQL

/// The features of `--enable-feature`, with Prometheus's names.
struct Features {
    /// The accepted expressions.
    var parser = ParserFeatures.standard
    /// Whether metric names are removed at the end of a query instead of at each step.
    var delayedNameRemoval = false
    /// Whether `rate` and similar functions use start timestamps.
    var useStartTimestamps = false

    /// Whether counters start with a zero at their start timestamp.
    var zeroesStarts = false

    /// Whether deltas of OTLP are added up, or stored as they are.
    var accumulatesDeltas = false
    var storesDeltas = false

    private static let names: [(name: String, enable: @Sendable (inout Features) -> Void)] = [
        ("promql-experimental-functions", { $0.parser.experimentalFunctions = true }),
        ("promql-extended-range-selectors", { $0.parser.extendedRangeSelectors = true }),
        ("promql-binop-fill-modifiers", { $0.parser.fillModifiers = true }),
        ("promql-delayed-name-removal", { $0.delayedNameRemoval = true }),
        ("created-timestamp-zero-ingestion", { $0.zeroesStarts = true }),
        ("otlp-deltatocumulative", { $0.accumulatesDeltas = true }),
        ("otlp-native-delta-ingestion", { $0.storesDeltas = true }),
        ("use-start-timestamps", { $0.useStartTimestamps = true }),
        // Always on. Accepted so that Prometheus's flags can be reused.
        ("promql-duration-expr", { _ in }), ("native-histograms", { _ in }), ("promql-at-modifier", { _ in }),
        ("promql-negative-offset", { _ in }), ("exemplar-storage", { _ in }),
    ]

    /// Requested features of Prometheus that have no effect.
    private(set) var withoutEffect: [String] = []

    /// Features of Prometheus that are accepted, for compatibility with its flags.
    private static let others: Set = [
        "auto-gomaxprocs", "auto-gomemlimit", "auto-reload-config", "concurrent-rule-eval", "delayed-compaction",
        "expand-external-labels", "extra-scrape-metrics", "fast-startup", "memory-snapshot-on-shutdown",
        "metadata-wal-records", "native-histograms", "new-service-discovery-manager", "no-default-scrape-port",
        "old-ui", "otlp-write-receiver",
        "promql-per-step-stats", "remote-write-receiver", "st-storage", "st-synthesis", "type-and-unit-labels",
        "use-uncached-io", "xor2-encoding",
    ]

    /// No experimental features.
    init() {}

    /// Reads comma-separated names.
    init(_ values: [String]) throws(CommandFailure) {
        for name in values.flatMap({ $0.split(separator: ",") }) {
            guard let feature = Self.names.first(where: { $0.name == name }) else {
                if Self.others.contains(String(name)) {
                    withoutEffect.append(String(name))
                    continue
                }
                let known = Self.names.map(\.name).joined(separator: ", ")
                throw CommandFailure("--enable-feature: unknown feature \"\(name)\"; known are \(known)", code: .usage)
            }
            feature.enable(&self)
        }
        if accumulatesDeltas, storesDeltas {
            throw CommandFailure(
                "--enable-feature: otlp-deltatocumulative and otlp-native-delta-ingestion exclude each other",
                code: .usage)
        }
    }
}

extension Command.Option {
    /// `--enable-feature`.
    static let enabledFeatures = Command.Option.value(
        "enable-feature", "NAMES", "Enable experimental features, with Prometheus's names.")
}

extension Invocation {
    /// The enabled features.
    func features() throws(CommandFailure) -> Features { try Features(values("enable-feature")) }
}
