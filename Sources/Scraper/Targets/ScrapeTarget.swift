internal import MetricModel

/// A scrape target: a URL and the labels of its series. A value.
struct ScrapeTarget: Equatable, Sendable {
    /// Job, labels and URL. A target with the same identity is the same one after a reload.
    struct Identity: Hashable, Sendable {
        let pool: String
        let labels: Labels
        let url: String

        /// FNV-1a over the parts. The same in every run, so that file names and offsets are stable.
        var hash: UInt64 {
            let parts = [pool, url] + labels.pairs.flatMap { [$0.name, $0.value] }
            return parts.reduce(0xcbf2_9ce4_8422_2325) { hash, part in
                (Array(part.utf8) + [0xff]).reduce(hash) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
            }
        }
    }

    var identity: Identity
    /// Labels before relabelling.
    var discoveredLabels: Labels
    var interval: Milliseconds
    var timeout: Milliseconds
    /// How its histograms are scraped: as its job says, unless relabelling says otherwise.
    var histograms: ScrapePool.HistogramSettings

    /// Labels after relabelling, without those that start with `__`.
    var labels: Labels { identity.labels }
    /// The name of the lane that holds its samples.
    var laneName: String {
        let hash = String(identity.hash, radix: 16)
        return "scrape/\(identity.pool)/" + String(repeating: "0", count: 16 - hash.count) + hash
    }

    /// The result for a discovered target.
    enum Outcome: Equatable, Sendable {
        case target(ScrapeTarget)
        case dropped(Labels)
        case faulty(Labels, String)
    }

    /// Builds the target with the labels `target`. As in Prometheus, the address is checked after relabelling.
    static func build(
        _ target: Labels, group: Labels, pool: ScrapePool, relabelling: Relabelling
    ) -> Outcome {
        var labels = group.setting(target)
        let defaults = [
            ("job", pool.name), ("__scrape_interval__", pool.interval.description),
            ("__scrape_timeout__", pool.timeout.description), ("__metrics_path__", pool.metricsPath),
            ("__scheme__", pool.scheme),
        ]
        for (name, value) in defaults where labels[name] == nil { labels.set(name, to: value) }
        for parameter in pool.parameters where labels["__param_" + parameter.name] == nil {
            labels.set("__param_" + parameter.name, to: parameter.values.first ?? "")
        }
        let discovered = labels
        guard let kept = relabelling.apply(to: labels) else { return .dropped(discovered) }
        let address = kept["__address__"] ?? ""
        if address.isEmpty { return .faulty(discovered, "no address") }
        if address.contains("/") { return .faulty(discovered, "\"\(address)\" is not a valid hostname") }
        guard let interval = Milliseconds(parsing: kept["__scrape_interval__"] ?? ""), interval > .zero else {
            return .faulty(discovered, "error parsing scrape interval")
        }
        guard let timeout = Milliseconds(parsing: kept["__scrape_timeout__"] ?? ""), timeout > .zero else {
            return .faulty(discovered, "error parsing scrape timeout")
        }
        if timeout > interval { return .faulty(discovered, "scrape timeout cannot be greater than scrape interval") }
        let histograms: ScrapePool.HistogramSettings
        do throws(ScrapeFailure) { histograms = try pool.histograms.overridden(by: kept) } catch {
            return .faulty(discovered, error.description)
        }
        let url = url(kept, pool)
        var final = Labels(sorted: kept.pairs.filter { !$0.name.hasPrefix("__") })
        if final["instance"] == nil { final.set("instance", to: address) }
        return .target(
            ScrapeTarget(
                identity: Identity(pool: pool.name, labels: final, url: url), discoveredLabels: discovered,
                interval: interval, timeout: timeout, histograms: histograms))
    }

    private static func url(_ labels: Labels, _ pool: ScrapePool) -> String {
        var parameters = pool.parameters
        for pair in labels.pairs where pair.name.hasPrefix("__param_") {
            let name = String(pair.name.dropFirst(8))
            if let index = parameters.firstIndex(where: { $0.name == name }) {
                parameters[index].values = [pair.value] + parameters[index].values.dropFirst()
            } else {
                parameters.append(ScrapePool.Parameter(name: name, values: [pair.value]))
            }
        }
        let query = parameters.sorted { ByteOrder.precedes($0.name, $1.name) }.flatMap { parameter in
            parameter.values.map { "\(escaped(parameter.name))=\(escaped($0))" }
        }
        let path = labels["__metrics_path__"] ?? ""
        let slash = path.hasPrefix("/") ? "" : "/"
        let base =
            "\(labels["__scheme__"] ?? "http")://\(labels["__address__"] ?? "")\(slash)\(escaped(path, also: "/:@"))"
        return query.isEmpty ? base : base + "?" + query.joined(separator: "&")
    }

    private static func escaped(_ text: String, also allowed: String = "") -> String {
        let digits = Array("0123456789ABCDEF")
        return text.utf8.reduce(into: "") { result, byte in
            let letter = byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a
            let digit = byte >= 0x30 && byte <= 0x39
            if letter || digit || "-._~".utf8.contains(byte) || allowed.utf8.contains(byte) {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
    }
}
