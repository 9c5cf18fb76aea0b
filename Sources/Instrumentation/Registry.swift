internal import Synchronization

/// The kind of a metric family.
public enum FamilyKind: String, Sendable {
    case counter
    case gauge
    case histogram
}

/// The metrics with the same name, at a time.
public struct FamilySnapshot: Sendable {
    /// One member of a family.
    public struct Member: Sendable {
        /// Labels in the order of the family's label names.
        public var labels: [(name: String, value: String)]
        /// The member's content.
        public var value: Value
    }

    /// A member's content.
    public enum Value: Sendable {
        case number(Double)
        case histogram(HistogramSnapshot)
    }

    /// The name; for counters, including `_total`.
    public var name: String
    /// One line that describes the metric.
    public var help: String
    /// The kind.
    public var kind: FamilyKind
    /// The members, sorted by labels.
    public var members: [Member]
}

/// Tribune's own metrics. Created once by the composition root and passed to every engine. May be used from any thread.
///
/// A second request for the same family returns the same instruments. A request with another kind or other label names
/// is a programming error and traps in debug builds. In release builds the instrument works but is not exported.
public final class Registry: Sendable {
    private final class Family: Sendable {
        let name: String
        let help: String
        let kind: FamilyKind
        let labelNames: [String]
        let members = Mutex<[[String]: any Sendable]>([:])

        init(name: String, help: String, kind: FamilyKind, labelNames: [String]) {
            self.name = name
            self.help = help
            self.kind = kind
            self.labelNames = labelNames
        }
    }

    private struct State {
        var families: [String: Family] = [:]
        var collectors: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())

    /// A registry without metrics.
    public init() {}

    /// The counter `name` (ending in `_total`) with the given label values.
    public func counter(_ name: String, _ help: String, labels: KeyValuePairs<String, String> = [:]) -> Counter {
        instrument(name, help, .counter, labels) { Counter() }
    }

    /// The gauge `name` with the given label values.
    public func gauge(_ name: String, _ help: String, labels: KeyValuePairs<String, String> = [:]) -> Gauge {
        instrument(name, help, .gauge, labels) { Gauge() }
    }

    /// The histogram `name` with the given label values.
    public func histogram(
        _ name: String, _ help: String, labels: KeyValuePairs<String, String> = [:],
        bounds: [Double] = Histogram.latencyBounds
    ) -> Histogram {
        instrument(name, help, .histogram, labels) { Histogram(bounds: bounds) }
    }

    /// Calls `collect` before every snapshot, to update gauges from other state.
    public func onSnapshot(_ collect: @escaping @Sendable () -> Void) {
        state.withLock { $0.collectors.append(collect) }
    }

    /// Removes the member of `name` with these label values, such as that of a removed target.
    public func remove(_ name: String, labels: KeyValuePairs<String, String>) {
        let family = state.withLock { $0.families[name] }
        family?.members.withLock { $0[labels.map(\.value)] = nil }
    }

    /// All families sorted by name.
    public func snapshot() -> [FamilySnapshot] {
        for collect in state.withLock({ $0.collectors }) { collect() }
        let families = state.withLock { Array($0.families.values) }
        return families.sorted { $0.name < $1.name }.map { family in
            let members = family.members.withLock { $0 }
            return FamilySnapshot(
                name: family.name, help: family.help, kind: family.kind,
                members: members.sorted { $0.key.lexicographicallyPrecedes($1.key) }.compactMap { values, instrument in
                    Self.value(of: instrument).map { value in
                        FamilySnapshot.Member(
                            labels: zip(family.labelNames, values).map { ($0, $1) }, value: value)
                    }
                })
        }
    }

    private static func value(of instrument: any Sendable) -> FamilySnapshot.Value? {
        switch instrument {
        case let counter as Counter: .number(counter.value)
        case let gauge as Gauge: .number(gauge.value)
        case let histogram as Histogram: .histogram(histogram.snapshot)
        default: nil
        }
    }

    private func instrument<Instrument: Sendable>(
        _ name: String, _ help: String, _ kind: FamilyKind, _ labels: KeyValuePairs<String, String>,
        make: () -> Instrument
    ) -> Instrument {
        let names = labels.map(\.key)
        let family = state.withLock { state in
            if let known = state.families[name] { return known }
            let family = Family(name: name, help: help, kind: kind, labelNames: names)
            state.families[name] = family
            return family
        }
        guard family.kind == kind, family.labelNames == names else {
            assertionFailure("\(name) is registered twice with different kinds or label names")
            return make()
        }
        return family.members.withLock { members in
            let values = labels.map(\.value)
            if let known = members[values] as? Instrument { return known }
            let instrument = make()
            members[values] = instrument
            return instrument
        }
    }
}
