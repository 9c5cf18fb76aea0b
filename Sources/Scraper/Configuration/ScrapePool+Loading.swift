internal import ConfigurationFields
internal import Discovery
internal import Exposition
internal import MetricModel
internal import Runtime
internal import YAML

extension FieldReader {
    /// The scheme of URLs. As in Prometheus it is not checked here, because relabelling may set another one.
    mutating func scheme(_ warnings: inout [YAMLError]) throws(YAMLError) -> String? {
        guard let scheme = try optionalText("scheme") else { return nil }
        if !["http", "https"].contains(scheme.lowercased()) {
            let message = "\"\(scheme)\" is neither http nor https: requests fail unless relabelling sets another one"
            warnings.append(plainFault(message, at: node["scheme"], field: "scheme"))
        }
        return scheme
    }
}

extension ScrapePool {
    /// Reads one entry of `scrape_configs`; missing fields are taken from `defaults`.
    init(
        _ node: YAMLNode, defaults: ScrapePool, path: String, file: String, _ warnings: inout [YAMLError]
    ) throws(YAMLError) {
        self = defaults
        let directory = Paths.directory(of: file)
        var fields = try FieldReader(node, path: path, file: file)
        name = fields.collect { (fields) throws(YAMLError) in try fields.text("job_name") } ?? ""
        if name.isEmpty, node["job_name"] != nil {
            fields.note("job_name is empty", at: node["job_name"], field: "job_name")
        }
        try readTimes(&fields, defaults)
        metricsPath = try fields.optionalText("metrics_path") ?? metricsPath
        scheme = try fields.scheme(&warnings) ?? scheme
        honorsLabels = try fields.optionalFlag("honor_labels") ?? false
        honorsTimestamps = try fields.optionalFlag("honor_timestamps") ?? true
        tracksTimestampStaleness = try fields.optionalFlag("track_timestamps_staleness") ?? false
        asksForCompression = try fields.optionalFlag("enable_compression") ?? true
        try readParameters(&fields)
        try readSharedFields(&fields, directory)
        names = try NameScheme(&fields, defaults: defaults.names)
        if let word = try fields.optionalText("fallback_scrape_protocol") {
            fallback = ScrapeProtocol(rawValue: word)?.format
            if fallback == nil {
                fields.note(
                    "invalid fallback_scrape_protocol for scrape config with job name \"\(name)\": "
                        + ScrapeProtocol.unknown(word), at: node["fallback_scrape_protocol"],
                    field: "fallback_scrape_protocol")
            }
        }
        http = fields.collect { (fields) throws(YAMLError) in try HTTPSettings(&fields, directory: directory) } ?? http
        relabelRules = try RelabelRule.list(&fields, "relabel_configs")
        staticTargets = try TargetGroup.staticGroups(&fields)
        if fields.node["relabel_configs"]?.elements?.isEmpty ?? true { Self.checkAddresses(staticTargets, &fields) }
        discovery = try DiscoveryMechanism.list(&fields, directory: directory)
        metricRelabelRules = try RelabelRule.list(&fields, "metric_relabel_configs")
        histograms.bucketLimit = try fields.optionalLimit("native_histogram_bucket_limit") ?? 0
        histograms.minimumBucketFactor = try fields.optionalNumber("native_histogram_min_bucket_factor") ?? 0
        try fields.finish()
    }

    private mutating func readTimes(_ fields: inout FieldReader, _ defaults: ScrapePool) throws(YAMLError) {
        interval = try fields.optionalNonZeroDuration("scrape_interval") ?? defaults.interval
        let timeout = try fields.optionalNonZeroDuration("scrape_timeout")
        if let timeout, timeout > interval {
            fields.note(
                "scrape timeout greater than scrape interval for scrape config with job name \"\(name)\"",
                at: fields.node["scrape_timeout"], field: "scrape_timeout")
        }
        self.timeout = timeout ?? min(defaults.timeout, interval)
    }

    /// Reads the fields that `global` and `scrape_configs` share. As in Prometheus, a limit of 0 means the default.
    mutating func readSharedFields(_ fields: inout FieldReader, _ directory: String) throws(YAMLError) {
        func limit(_ name: String, _ inherited: Int) throws(YAMLError) -> Int {
            let limit = try fields.optionalLimit(name) ?? 0
            return limit == 0 ? inherited : limit
        }
        limits.samples = try limit("sample_limit", limits.samples)
        limits.labels = try limit("label_limit", limits.labels)
        limits.labelNameLength = try limit("label_name_length_limit", limits.labelNameLength)
        limits.labelValueLength = try limit("label_value_length_limit", limits.labelValueLength)
        let bodyBytes = try fields.optionalSize("body_size_limit") ?? 0
        if bodyBytes > 0 { limits.bodyBytes = bodyBytes }
        limits.targets = try limit("target_limit", limits.targets)
        limits.droppedTargets = try limit("keep_dropped_targets", limits.droppedTargets)
        if let path = try fields.optionalText("scrape_failure_log_file"), !path.isEmpty {
            failureLog = Paths.resolve(path, from: directory)
        }
        try readProtocols(&fields)
        try readHistogramSettings(&fields)
        storesExtraReports = try fields.optionalFlag("extra_scrape_metrics") ?? storesExtraReports
    }

    private mutating func readProtocols(_ fields: inout FieldReader) throws(YAMLError) {
        guard let place = fields.node["scrape_protocols"] else { return }
        let words = try fields.textList("scrape_protocols")
        var known: [ScrapeProtocol] = []
        var problem = words.isEmpty ? "scrape_protocols cannot be empty" : nil
        for word in words {
            guard let next = ScrapeProtocol(rawValue: word) else {
                problem = ScrapeProtocol.unknown(word)
                break
            }
            if known.contains(next) {
                problem = "duplicated protocol in scrape_protocols, got [\(words.joined(separator: " "))]"
            }
            known.append(next)
        }
        if let problem { fields.note(problem, at: place, field: "scrape_protocols") }
        protocols = known
    }

    private mutating func readHistogramSettings(_ fields: inout FieldReader) throws(YAMLError) {
        histograms.scrapesNative =
            try fields.optionalFlag("scrape_native_histograms") ?? histograms.scrapesNative
        // The second one is the name of the first one before 3.0.
        for name in ["always_scrape_classic_histograms", "scrape_classic_histograms"] {
            histograms.alwaysScrapesClassic = try fields.optionalFlag(name) ?? histograms.alwaysScrapesClassic
        }
        histograms.convertsClassic =
            try fields.optionalFlag("convert_classic_histograms_to_nhcb") ?? histograms.convertsClassic
    }

    private mutating func readParameters(_ fields: inout FieldReader) throws(YAMLError) {
        guard let node = fields.optional("params") else { return }
        let path = fields.path(of: "params")
        let found = fields.collect { (fields) throws(YAMLError) in
            var section = try FieldReader(node, path: path, file: fields.file)
            var found: [Parameter] = []
            for name in section.names.sorted(by: ByteOrder.precedes) {
                found.append(Parameter(name: name, values: try section.textList(name)))
            }
            try section.finish()
            return found
        }
        parameters += found ?? []
    }

    /// Refuses a static target that is not an address. With relabelling, which may produce an address, it is checked
    /// afterwards.
    static func checkAddresses(_ groups: [TargetGroup], _ fields: inout FieldReader) {
        for (group, content) in groups.enumerated() {
            for (index, target) in content.targets.enumerated() {
                guard let address = target["__address__"], address.contains("/") else { continue }
                let list = fields.node["static_configs"]?.elements?[group]["targets"]?.elements
                fields.note(
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
