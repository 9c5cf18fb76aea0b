public import JSON
internal import MetricModel

/// The latest measurements of one service.
public struct ServiceMetrics: Equatable, Sendable {
    /// Values by their series, such as `up{env="blue",service="auth"}`.
    public var values: [String: Double]
    /// The time of the newest one, in milliseconds since the epoch.
    public var milliseconds: Int64

    init(values: [String: Double] = [:], milliseconds: Int64 = 0) {
        self.values = values
        self.milliseconds = milliseconds
    }

    /// The values of `measurements`; where a series occurs twice, the later one counts.
    public init(_ measurements: [Measurement]) {
        self.init()
        for measurement in measurements {
            values[measurement.labels.description] = measurement.value
            milliseconds = max(milliseconds, measurement.timestamp.milliseconds)
        }
    }

    /// The metrics as members of an object, by name; what JSON cannot write as a number is text.
    public var json: JSON {
        .object(
            values.sorted { ByteOrder.precedes($0.key, $1.key) }.map { series, value in
                .init(series, value.isFinite ? .number(value) : .string(FloatText.plain(value)))
            })
    }

    /// The form in the cache: the metrics, and two members that the platform adds.
    func cached(under key: String) -> JSON {
        .object(
            (json.members ?? []) + [
                .init("timestamp", .string(RFC3339.text(milliseconds: milliseconds))), .init("cache_key", .string(key)),
            ])
    }

    /// Reads what ``cached(under:)`` gives; `nil` for anything else.
    init?(cached text: String) {
        // Whatever else is at the key counts as a miss.
        guard case .some(let json) = try? JSON(parsing: text), let members = json.members,
            let time = json["timestamp"]?.text.flatMap({ RFC3339.milliseconds(parsing: $0) })
        else { return nil }
        self.init(milliseconds: time)
        for member in members where member.name != "timestamp" && member.name != "cache_key" {
            values[member.name] = member.value.number ?? member.value.text.flatMap(Double.init)
        }
    }
}

/// The latest measurements of all services, merged from batches that each hold some of them. A value.
struct LatestMetrics {
    private struct Latest {
        var value: Double
        var milliseconds: Int64
    }

    private var services: [String: [String: Latest]] = [:]

    /// Services, and series of a service, that are remembered.
    private static let limit = 1000

    /// Takes a batch. Measurements without the label `service` are left out.
    ///
    /// - Returns: by service, the values of the batch.
    mutating func add(_ measurements: [Measurement]) -> [String: ServiceMetrics] {
        var batch: [String: ServiceMetrics] = [:]
        for measurement in measurements {
            guard let service = measurement.labels["service"], !service.isEmpty else { continue }
            let time = measurement.timestamp.milliseconds
            let series = measurement.labels.description
            var fresh = batch[service] ?? ServiceMetrics()
            fresh.values[series] = measurement.value
            fresh.milliseconds = max(fresh.milliseconds, time)
            batch[service] = fresh
            if services[service] == nil, services.count >= Self.limit { services = [:] }
            if let known = services[service]?[series], known.milliseconds > time { continue }
            if services[service]?.count ?? 0 >= Self.limit, services[service]?[series] == nil { continue }
            services[service, default: [:]][series] = Latest(value: measurement.value, milliseconds: time)
        }
        return batch
    }

    /// The values of a service that are at most `age` milliseconds older than its newest one; older ones are forgotten.
    mutating func current(_ service: String, age: Int64) -> ServiceMetrics {
        let newest = services[service]?.values.map(\.milliseconds).max() ?? 0
        let kept = (services[service] ?? [:]).filter { newest - $0.value.milliseconds <= age }
        services[service] = kept
        return ServiceMetrics(values: kept.mapValues(\.value), milliseconds: newest)
    }
}
