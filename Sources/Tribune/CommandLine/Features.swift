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

    /// Whether every scrape stores its timeout, its limit of samples and its size.
    var storesExtraReports = false

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
        ("extra-scrape-metrics", { $0.storesExtraReports = true }),
        // Always on. Accepted so that Prometheus's flags can be reused.
        ("promql-duration-expr", { _ in }), ("native-histograms", { _ in }), ("promql-at-modifier", { _ in }),
        ("promql-negative-offset", { _ in }), ("exemplar-storage", { _ in }),
    ]

    /// Requested names that have no effect. As in Prometheus, an unknown one is no reason not to start.
    private(set) var withoutEffect: [String] = []

    /// No experimental features.
    init() {}

    /// Reads comma-separated names.
    init(_ values: [String]) throws(CommandFailure) {
        for name in values.flatMap({ $0.split(separator: ",") }) {
            guard let feature = Self.names.first(where: { $0.name == name }) else {
                withoutEffect.append(String(name))
                continue
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
    /// The enabled features. Names without effect are reported on standard error.
    func features() throws(CommandFailure) -> Features {
        let features = try Features(values("enable-feature"))
        for name in features.withoutEffect { Console.error("warning: the feature \"\(name)\" has no effect") }
        return features
    }
}
