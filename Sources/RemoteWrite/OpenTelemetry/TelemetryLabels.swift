internal import MetricModel
internal import Scraper

/// The labels of data points: their attributes, and what the resource and the scope add. A value.
struct TelemetryLabels {
    /// The attributes that identify a resource.
    private enum Identifying {
        static let namespace = "service.namespace"
        static let name = "service.name"
        static let instance = "service.instance.id"
        static let all: Set<String> = [namespace, name, instance]
    }

    let names: TelemetryNames
    private let settings: OTLPSettings
    /// Names that were translated before; `nil` if nothing is left of the name.
    private var known: [String: String?] = [:]
    /// Labels that attributes of a data point replace.
    private var promoted: [Label] = []
    /// Labels that replace attributes of a data point.
    private var identity: [Label] = []
    private var scope: [Label] = []

    init(_ settings: OTLPSettings) {
        self.settings = settings
        names = TelemetryNames(
            escapes: settings.strategy.escapes, addsSuffixes: settings.strategy.addsSuffixes,
            prefixesUnderscores: settings.prefixesUnderscores, keepsUnderscores: settings.keepsUnderscores)
    }

    /// Starts with the data points of `resource`.
    mutating func enter(_ resource: TelemetryResource) {
        promoted = []
        identity = []
        scope = []
        let attributes = Dictionary(resource.attributes.map { ($0.key, $0.value) }) { _, last in last }
        for (key, value) in attributes.sorted(by: { $0.key < $1.key }) {
            let isPromoted = settings.promotesAll ? !settings.ignored.contains(key) : settings.promoted.contains(key)
            // A name of which nothing is left has no label; Prometheus refuses the resource.
            guard isPromoted, let name = name(key), !promoted.contains(where: { $0.name == name }) else { continue }
            promoted.append(Label(name, value))
        }
        if let name = attributes[Identifying.name] {
            let namespace = attributes[Identifying.namespace].map { "\($0)/" } ?? ""
            identity.append(Label("job", namespace + name))
        }
        if let instance = attributes[Identifying.instance] { identity.append(Label("instance", instance)) }
    }

    /// Starts with the data points of `scope`.
    mutating func enter(_ metrics: TelemetryScope) {
        scope = []
        guard settings.promotesScope, !metrics.name.isEmpty else { return }
        for attribute in metrics.attributes {
            if let name = name("otel_scope_\(attribute.key)") { scope.append(Label(name, attribute.value)) }
        }
        scope += [
            Label("otel_scope_name", metrics.name), Label("otel_scope_version", metrics.version),
            Label("otel_scope_schema_url", metrics.schemaURL),
        ]
    }

    /// The labels of a data point, each name once, without the metric name.
    mutating func labels(
        of attributes: [TelemetryAttribute]
    ) throws(TelemetryTranslation.Rejection) -> [Label] {
        var found = try own(attributes)
        for label in promoted where found[label.name] == nil { found[label.name] = label.value }
        for label in identity + scope { found[label.name] = label.value }
        return found.compactMap { $0.value.isEmpty ? nil : Label($0.key, $0.value) }
    }

    /// The labels of `target_info`; `nil` if the resource has nothing more than its identity, or no identity.
    ///
    /// - Throws: if an attribute has no usable name.
    mutating func targetInfo(_ resource: TelemetryResource) throws(TelemetryTranslation.Rejection) -> [Label]? {
        let others = resource.attributes.filter { !Identifying.all.contains($0.key) }
        guard !identity.isEmpty, !others.isEmpty else { return nil }
        var found = try own(settings.keepsIdentifying ? resource.attributes : others)
        for label in identity { found[label.name] = label.value }
        return found.compactMap { $0.value.isEmpty ? nil : Label($0.key, $0.value) }
    }

    /// The attributes as labels. Values of attributes whose names become equal are joined.
    private mutating func own(
        _ attributes: [TelemetryAttribute]
    ) throws(TelemetryTranslation.Rejection) -> [String: String] {
        var found: [String: String] = [:]
        for attribute in attributes.sorted(by: { $0.key < $1.key }) where attribute.key != Labels.metricName {
            guard let name = name(attribute.key) else {
                throw TelemetryTranslation.Rejection("nothing is left of the attribute name \"\(attribute.key)\"")
            }
            if names.escapes, let other = found[name], !other.isEmpty {
                found[name] = "\(other);\(attribute.value)"
            } else {
                found[name] = attribute.value
            }
        }
        return found
    }

    private mutating func name(_ key: String) -> String? {
        if let name = known[key] { return name }
        let name = names.label(key)
        known[key] = .some(name)
        return name
    }
}
