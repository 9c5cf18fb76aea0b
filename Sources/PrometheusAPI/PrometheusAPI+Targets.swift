internal import JSON
internal import MetricModel
internal import Scraper
internal import WebCore

extension PrometheusAPI {
    /// `/api/v1/targets`
    func targets(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let state = call.urlParameter("state").lowercased()
        let pool = call.urlParameter("scrapePool")
        let showsActive = state.isEmpty || state == "any" || state == "active"
        let showsDropped = state.isEmpty || state == "any" || state == "dropped"
        let dropped = sources.droppedTargets()
        writer.object { writer in
            writer.name("activeTargets")
            let active = showsActive ? Self.sorted(sources.targets(), by: \.scrapePool) : []
            writer.array(active.filter { pool.isEmpty || $0.scrapePool == pool }) { write($1, into: &$0) }
            writer.name("droppedTargets")
            let shown = showsDropped ? Self.sorted(dropped, by: \.scrapePool) : []
            writer.array(shown.filter { pool.isEmpty || $0.scrapePool == pool }) { writer, target in
                writer.object {
                    $0.member("discoveredLabels", target.discoveredLabels)
                    $0.member("scrapePool", target.scrapePool)
                }
            }
            writer.name("droppedTargetCounts")
            guard showsDropped else { return writer.null() }
            writer.object { writer in
                for name in Self.names(of: sources.scrapePools() + dropped.map(\.scrapePool)) {
                    writer.member(name, dropped.count { $0.scrapePool == name })
                }
            }
        }
        return APIResult()
    }

    private func write(_ target: TargetSnapshot, into writer: inout JSONWriter) {
        writer.object {
            $0.member("discoveredLabels", target.discoveredLabels)
            $0.member("labels", target.labels)
            $0.member("scrapePool", target.scrapePool)
            $0.member("scrapeUrl", target.scrapeURL)
            $0.member("globalUrl", Self.globalURL(of: target.scrapeURL, externalURL: settings.externalURL.text))
            $0.member("lastError", target.lastError)
            $0.member("lastScrape", target.lastScrape)
            $0.member("lastScrapeDuration", target.lastScrapeDuration)
            $0.member("health", target.health.rawValue)
            $0.member("scrapeInterval", target.scrapeInterval.description)
            $0.member("scrapeTimeout", target.scrapeTimeout.description)
        }
    }

    /// `/api/v1/scrape_pools`
    func scrapePools(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        writer.object { $0.member("scrapePools", Self.names(of: sources.scrapePools())) }
        return APIResult()
    }

    /// `/api/v1/metadata`
    func metadata(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let limit = try metadataLimit(call, "limit")
        let perFamily = try metadataLimit(call, "limit_per_metric")
        let wanted = call["metric"]
        var families: [String: [MetricMetadata]] = [:]
        func add(_ entries: [MetricMetadata]) {
            for entry in entries where wanted.isEmpty || entry.family == wanted {
                if families[entry.family, default: []].contains(entry) { continue }
                families[entry.family, default: []].append(entry)
            }
        }
        for target in sources.metadata() { add(target.families) }
        add(sources.writtenMetadata())
        let names = families.keys.sorted(by: ByteOrder.precedes)
        writer.object { writer in
            for name in limit.map({ Array(names.prefix($0)) }) ?? names {
                let entries = families[name] ?? []
                writer.name(name)
                writer.array(entries.prefix(perFamily ?? entries.count)) { writer, entry in
                    writer.object {
                        $0.member("type", entry.type)
                        $0.member("help", entry.help)
                        $0.member("unit", entry.unit)
                    }
                }
            }
        }
        return APIResult()
    }

    /// `/api/v1/targets/metadata`
    func targetMetadata(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let limit = try metadataLimit(call, "limit")
        let wanted = call["metric"]
        let selector = call["match_target"]
        let conditions = try selector.isEmpty ? [] : Selector.conditions(selector, parameter: "match_target")
        var entries: [(target: Labels, family: MetricMetadata)] = []
        for target in sources.metadata() where conditions.allSatisfy({ $0.holds(for: target.target) }) {
            entries += target.families.filter { wanted.isEmpty || $0.family == wanted }.map { (target.target, $0) }
        }
        writer.array(entries.prefix(limit ?? entries.count)) { writer, entry in
            writer.object {
                $0.member("target", entry.target)
                if wanted.isEmpty { $0.member("metric", entry.family.family) }
                $0.member("type", entry.family.type)
                $0.member("help", entry.family.help)
                $0.member("unit", entry.family.unit)
            }
        }
        return APIResult()
    }

    /// Prometheus's metadata limits; absent or negative for no limit.
    private func metadataLimit(_ call: APIRequest, _ name: String) throws(APIError) -> Int? {
        let text = call[name]
        if text.isEmpty { return nil }
        guard let limit = Int(text) else { throw APIError(.badData, "\(name) must be a number") }
        return limit < 0 ? nil : limit
    }

    /// `url`, with the host replaced by that of `externalURL` if it refers to this machine.
    static func globalURL(of url: String, externalURL: String) -> String {
        guard let inner = HostPlace(url), let outer = HostPlace(externalURL) else { return url }
        guard ["localhost", "127.0.0.1", "[::1]", "::1"].contains(inner.host) else { return url }
        return inner.before + outer.host + inner.after
    }

    /// The position of the host in a URL.
    private struct HostPlace {
        var before: String
        var host: String
        /// The rest, from the port's colon on.
        var after: String

        init?(_ url: String) {
            let bytes = Array(url.utf8)
            guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), bytes[colon...].starts(with: "://".utf8) else {
                return nil
            }
            let start = colon + 3
            let end = bytes[start...].firstIndex { "/?#".utf8.contains($0) } ?? bytes.count
            let authority = bytes[start..<end]
            let hostStart = authority.lastIndex(of: UInt8(ascii: "@")).map { $0 + 1 } ?? start
            let isBracketed = hostStart < end && bytes[hostStart] == UInt8(ascii: "[")
            let close = isBracketed ? UInt8(ascii: "]") : UInt8(ascii: ":")
            let mark = bytes[hostStart..<end].firstIndex(of: close) ?? end
            let hostEnd = isBracketed ? min(mark + 1, end) : mark
            before = String(decoding: bytes[..<hostStart], as: UTF8.self)
            host = String(decoding: bytes[hostStart..<hostEnd], as: UTF8.self)
            after = String(decoding: bytes[hostEnd...], as: UTF8.self)
        }
    }

    /// `elements` sorted by name. Those with the same name keep their order.
    static func sorted<Element>(_ elements: [Element], by name: (Element) -> String) -> [Element] {
        elements.enumerated().sorted {
            let left = name($0.element)
            let right = name($1.element)
            return ByteOrder.equal(left, right) ? $0.offset < $1.offset : ByteOrder.precedes(left, right)
        }.map(\.element)
    }

    /// Distinct names, in order.
    static func names(of names: [String]) -> [String] {
        Set(names).sorted(by: ByteOrder.precedes)
    }
}
