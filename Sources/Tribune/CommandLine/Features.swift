internal import PromQL

/// The features that `--enable-feature` enables, by Prometheus's names.
struct Features {
    /// Which expressions are accepted.
    var parser = ParserFeatures.standard
    /// Whether metric names are removed at the end of a query instead of at each step.
    var delayedNameRemoval = false
    /// Whether start timestamps count in `rate` and its relatives.
    var useStartTimestamps = false

    /// Whether counters begin with a zero at the time since when they count.
    var zeroesStarts = false

    private static let names: [(name: String, enable: @Sendable (inout Features) -> Void)] = [
        ("promql-experimental-functions", { $0.parser.experimentalFunctions = true }),
        ("promql-extended-range-selectors", { $0.parser.extendedRangeSelectors = true }),
        ("promql-binop-fill-modifiers", { $0.parser.fillModifiers = true }),
        ("promql-delayed-name-removal", { $0.delayedNameRemoval = true }),
        ("created-timestamp-zero-ingestion", { $0.zeroesStarts = true }),
        ("use-start-timestamps", { $0.useStartTimestamps = true }),
        // On without being asked for; named so that flags of Prometheus can be taken over.
        ("promql-duration-expr", { _ in }), ("native-histograms", { _ in }), ("promql-at-modifier", { _ in }),
        ("promql-negative-offset", { _ in }), ("exemplar-storage", { _ in }),
    ]

    /// Nothing experimental.
    init() {}

    /// Reads comma-separated names.
    init(_ values: [String]) throws(CommandFailure) {
        for name in values.flatMap({ $0.split(separator: ",") }) {
            guard let feature = Self.names.first(where: { $0.name == name }) else {
                let known = Self.names.map(\.name).joined(separator: ", ")
                throw CommandFailure("--enable-feature: unknown feature \"\(name)\"; known are \(known)", code: .usage)
            }
            feature.enable(&self)
        }
    }
}

extension Command.Option {
    /// `--enable-feature`.
    static let enabledFeatures = Command.Option.value(
        "enable-feature", "NAMES", "Enable experimental features, by the names that Prometheus gives them.")
}

extension Invocation {
    /// The features that `--enable-feature` enables.
    func features() throws(CommandFailure) -> Features { try Features(values("enable-feature")) }
}
