internal import ConfigurationFields
internal import Discovery
internal import Exposition
internal import MetricModel
internal import Runtime
internal import YAML

extension FieldReader {
    /// `http` or `https`.
    mutating func scheme() throws(YAMLError) -> String? {
        guard let scheme = try optionalText("scheme") else { return nil }
        guard scheme == "http" || scheme == "https" else {
            throw fault("unsupported scheme \"\(scheme)\"", at: node["scheme"], field: "scheme")
        }
        return scheme
    }
}

extension ScrapePool {
    /// Reads one entry of `scrape_configs`; what it does not say is taken from `defaults`.
    init(
        _ node: YAMLNode, defaults: ScrapePool, path: String, file: String, _ warnings: inout [YAMLError]
    ) throws(YAMLError) {
        self = defaults
        let directory = Paths.directory(of: file)
        var fields = try FieldReader(node, path: path, file: file)
        name = try fields.text("job_name")
        if name.isEmpty { throw fields.fault("job_name is empty", at: node["job_name"], field: "job_name") }
        interval = try fields.optionalInterval("scrape_interval") ?? defaults.interval
        let timeout = try fields.optionalInterval("scrape_timeout")
        if let timeout, timeout > interval {
            throw fields.fault(
                "scrape timeout greater than scrape interval for scrape config with job name \"\(name)\"",
                at: node["scrape_timeout"], field: "scrape_timeout")
        }
        self.timeout = timeout ?? min(defaults.timeout, interval)
        metricsPath = try fields.optionalText("metrics_path") ?? metricsPath
        scheme = try fields.scheme() ?? scheme
        honorsLabels = try fields.optionalFlag("honor_labels") ?? false
        honorsTimestamps = try fields.optionalFlag("honor_timestamps") ?? true
        tracksTimestampStaleness = try fields.optionalFlag("track_timestamps_staleness") ?? false
        asksForCompression = try fields.optionalFlag("enable_compression") ?? true
        try readParameters(&fields)
        try readSharedFields(&fields, &warnings)
        if let word = try fields.optionalText("fallback_scrape_protocol") {
            guard let known = ScrapeProtocol(rawValue: word) else {
                throw fields.fault(
                    "invalid fallback_scrape_protocol for scrape config with job name \"\(name)\": "
                        + ScrapeProtocol.unknown(word), at: node["fallback_scrape_protocol"],
                    field: "fallback_scrape_protocol")
            }
            fallback = known.format
        }
        http = try HTTPSettings(&fields, directory: directory)
        relabelRules = try RelabelRule.list(&fields, "relabel_configs")
        staticTargets = try TargetGroup.staticGroups(&fields)
        if relabelRules.isEmpty { try Self.checkAddresses(staticTargets, fields) }
        discovery = try DiscoveryMechanism.list(&fields, directory: directory)
        metricRelabelRules = try RelabelRule.list(&fields, "metric_relabel_configs")
        histograms.bucketLimit = try fields.optionalLimit("native_histogram_bucket_limit") ?? 0
        histograms.minimumBucketFactor = try fields.optionalNumber("native_histogram_min_bucket_factor") ?? 0
        try fields.finish()
    }

    /// Reads what both `global` and `scrape_configs` may say.
    mutating func readSharedFields(_ fields: inout FieldReader, _ warnings: inout [YAMLError]) throws(YAMLError) {
        limits.samples = try fields.optionalLimit("sample_limit") ?? limits.samples
        limits.labels = try fields.optionalLimit("label_limit") ?? limits.labels
        limits.labelNameLength = try fields.optionalLimit("label_name_length_limit") ?? limits.labelNameLength
        limits.labelValueLength = try fields.optionalLimit("label_value_length_limit") ?? limits.labelValueLength
        limits.bodyBytes = try fields.optionalSize("body_size_limit") ?? limits.bodyBytes
        limits.targets = try fields.optionalLimit("target_limit") ?? limits.targets
        limits.droppedTargets = try fields.optionalLimit("keep_dropped_targets") ?? limits.droppedTargets
        try readProtocols(&fields)
        try readHistogramSettings(&fields)
        let ignored = [
            "extra_scrape_metrics", "scrape_failure_log_file", "metric_name_validation_scheme",
            "metric_name_escaping_scheme",
        ]
        for name in ignored {
            guard let node = fields.optional(name), !["false", "utf8", "allow-utf-8", ""].contains(node.text) else {
                continue
            }
            warnings.append(fields.fault("has no effect", at: node, field: name))
        }
    }

    private mutating func readProtocols(_ fields: inout FieldReader) throws(YAMLError) {
        guard let place = fields.node["scrape_protocols"] else { return }
        let words = try fields.textList("scrape_protocols")
        func fault(_ message: String) -> YAMLError {
            fields.fault(message, at: place, field: "scrape_protocols")
        }
        guard !words.isEmpty else { throw fault("scrape_protocols cannot be empty") }
        var known: [ScrapeProtocol] = []
        for word in words {
            guard let next = ScrapeProtocol(rawValue: word) else { throw fault(ScrapeProtocol.unknown(word)) }
            if known.contains(next) {
                throw fault("duplicated protocol in scrape_protocols, got [\(words.joined(separator: " "))]")
            }
            known.append(next)
        }
        protocols = known
    }

    private mutating func readHistogramSettings(_ fields: inout FieldReader) throws(YAMLError) {
        histograms.scrapesNative =
            try fields.optionalFlag("scrape_native_histograms") ?? histograms.scrapesNative
        // The second is what the first was called before 3.0.
        for name in ["always_scrape_classic_histograms", "scrape_classic_histograms"] {
            histograms.alwaysScrapesClassic = try fields.optionalFlag(name) ?? histograms.alwaysScrapesClassic
        }
        histograms.convertsClassic =
            try fields.optionalFlag("convert_classic_histograms_to_nhcb") ?? histograms.convertsClassic
    }

    private mutating func readParameters(_ fields: inout FieldReader) throws(YAMLError) {
        guard let node = fields.optional("params") else { return }
        var section = try FieldReader(node, path: fields.path(of: "params"), file: fields.file)
        for name in section.names.sorted(by: ByteOrder.precedes) {
            parameters.append(Parameter(name: name, values: try section.textList(name)))
        }
    }

    /// Refuses a static target that is no address. With relabelling, which may make an address of it, it is judged
    /// after that.
    static func checkAddresses(_ groups: [TargetGroup], _ fields: FieldReader) throws(YAMLError) {
        for (group, content) in groups.enumerated() {
            for (index, target) in content.targets.enumerated() {
                guard let address = target["__address__"], address.contains("/") else { continue }
                let list = fields.node["static_configs"]?.elements?[group]["targets"]?.elements
                throw fields.fault(
                    "\"\(address)\" is not a valid hostname", at: list?[index],
                    field: "static_configs[\(group)].targets[\(index)]")
            }
        }
    }
}

extension ScrapePool.ScrapeProtocol {
    fileprivate static func unknown(_ word: String) -> String {
        let known = allCases.map(\.rawValue).sorted(by: ByteOrder.precedes).joined(separator: " ")
        return "unknown scrape protocol \(word), supported: [\(known)]"
    }
}
