internal import ConfigurationFields
internal import Discovery
internal import MetricModel
internal import Runtime
internal import YAML

extension PrometheusConfiguration {
    /// Reads the file at `path`.
    ///
    /// - Parameter requiresRuleFiles: whether an entry of `rule_files` without a pattern must name an existing file.
    ///   Prometheus starts without it, and promtool refuses it.
    public init(contentsOf path: String, requiresRuleFiles: Bool = false) throws(ConfigurationError) {
        let bytes: [UInt8]
        do throws(FileText.ReadError) {
            bytes = try FileText.bytes(path, limit: 64 << 20)
        } catch {
            throw ConfigurationError(errors: [
                YAMLError(file: path, line: 0, column: 0, field: "", message: error.reason)
            ])
        }
        try self.init(parsing: bytes, file: path, requiresRuleFiles: requiresRuleFiles)
    }

    /// Reads `bytes`; paths in it are relative to the directory of `file`.
    public init(
        parsing bytes: [UInt8], file: String, requiresRuleFiles: Bool = false
    ) throws(ConfigurationError) {
        self.init()
        var errors: [YAMLError] = []
        do throws(YAMLError) {
            if let root = try YAML.document(bytes, file: file) {
                shownText = SecretMask.masked(root).blockText
                try read(root, file: file, requiresRuleFiles, &errors)
            }
        } catch {
            errors += error.all
        }
        if !errors.isEmpty {
            throw ConfigurationError(errors: errors.sorted { ($0.line, $0.column) < ($1.line, $1.column) })
        }
    }

    /// Errors are collected, so that all of them can be reported at once.
    private mutating func read(
        _ root: YAMLNode, file: String, _ requiresRuleFiles: Bool, _ errors: inout [YAMLError]
    ) throws(YAMLError) {
        let directory = Paths.directory(of: file)
        var fields = try FieldReader(root, path: "", file: file)
        var defaults = ScrapePool(name: "")
        if let node = fields.optional("global") {
            _ = fields.collect { (_) throws(YAMLError) in try readGlobal(node, file: file, &defaults) }
        }
        ruleFiles = try Self.patterns("rule_files", "rule", &fields).map { Paths.resolve($0, from: directory) }
        for (index, path) in ruleFiles.enumerated() where Paths.matching(path) == [path] && !Paths.exists(path) {
            missingRuleFiles.append(path)
            guard requiresRuleFiles else { continue }
            fields.note(
                "no file is called \"\(path)\"", at: root["rule_files"]?.elements?[index],
                field: "rule_files[\(index)]")
        }
        readPools(try fields.list("scrape_configs"), defaults, &fields)
        for pattern in try Self.patterns("scrape_config_files", "scrape config", &fields) {
            for path in Paths.existing(Paths.resolve(pattern, from: directory)) {
                _ = fields.collect { (_) throws(YAMLError) in try readPoolFile(path, defaults) }
            }
        }
        if let node = fields.optional("alerting") {
            _ = fields.collect { (_) throws(YAMLError) in try readAlerting(node, file: file, directory) }
        }
        remoteWrites = try RemoteWriteSettings.list(&fields, directory)
        for (index, node) in (root["remote_write"]?.elements ?? []).enumerated() {
            for name in ["azuread", "google_iam"] where node[name] != nil {
                let field = "remote_write[\(index)].\(name)"
                warnings.append(fields.plainFault("has no effect", at: node[name], field: field))
            }
        }
        remoteReads = try RemoteReadSettings.list(&fields, directory)
        if let node = fields.optional("storage") {
            _ = fields.collect { (_) throws(YAMLError) in try readStorage(node, file: file) }
        }
        if let node = fields.optional("tracing") {
            tracing = fields.collect { (_) throws(YAMLError) in
                try TracingSettings(node, file: file, directory, &warnings)
            }
        }
        if let node = fields.optional("otlp") {
            let scheme = defaults.names.validation
            otlp = fields.collect { (_) throws(YAMLError) in try OTLPSettings(node, file: file, scheme) } ?? otlp
        }
        if let node = fields.optional("runtime") {
            _ = fields.collect { (_) throws(YAMLError) in
                var section = try FieldReader(node, path: "runtime", file: file)
                _ = try section.optionalInteger("gogc")
                try section.finish()
            }
        }
        for name in ["remote_read", "runtime"] {
            guard let node = root[name], !node.isNull else { continue }
            warnings.append(fields.plainFault("this section is read and not acted upon", at: node, field: name))
        }
        errors += fields.faults + fields.unknownFields()
    }

    /// Paths whose last part may have a `*`.
    private static func patterns(
        _ name: String, _ what: String, _ fields: inout FieldReader
    ) throws(YAMLError) -> [FilePattern] {
        let patterns = try fields.textList(name)
        for (index, pattern) in patterns.enumerated() {
            guard let star = pattern.firstIndex(of: "*") else { continue }
            let rest = pattern[pattern.index(after: star)...]
            guard rest.contains("/") else { continue }
            fields.note(
                "invalid \(what) file path \"\(pattern)\"", at: fields.node[name]?.elements?[index],
                field: "\(name)[\(index)]")
        }
        return patterns
    }

    private mutating func readGlobal(
        _ node: YAMLNode, file: String, _ defaults: inout ScrapePool
    ) throws(YAMLError) {
        var fields = try FieldReader(node, path: "global", file: file)
        scrapeInterval = try fields.optionalNonZeroDuration("scrape_interval") ?? scrapeInterval
        defaults.interval = scrapeInterval
        let timeout = try fields.optionalNonZeroDuration("scrape_timeout")
        if let timeout, timeout > scrapeInterval {
            fields.note(
                "global scrape timeout greater than scrape interval", at: node["scrape_timeout"],
                field: "scrape_timeout")
        }
        defaults.timeout = timeout ?? min(defaults.timeout, scrapeInterval)
        evaluationInterval = try fields.optionalNonZeroDuration("evaluation_interval") ?? evaluationInterval
        ruleQueryOffset = try fields.optionalDuration("rule_query_offset") ?? .zero
        var expansion = EnvironmentExpansion()
        externalLabels = Labels(
            try fields.labels("external_labels").pairs
                .map { Label($0.name, expansion.expanded($0.value)) }.filter { !$0.value.isEmpty })
        for name in expansion.missing {
            warnings.append(
                fields.plainFault(
                    "the environment variable \(name) is empty", at: node["external_labels"],
                    field: "external_labels"))
        }
        try defaults.readSharedFields(&fields, Paths.directory(of: file))
        defaults.names = try NameScheme(&fields)
        if let path = try fields.optionalText("query_log_file"), !path.isEmpty {
            warnings.append(
                fields.plainFault("has no effect", at: node["query_log_file"], field: "query_log_file"))
        }
        try fields.finish()
    }

    private mutating func readStorage(_ node: YAMLNode, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: "storage", file: file)
        if let exemplars = fields.optional("exemplars") {
            maximumExemplars = fields.collect { (_) throws(YAMLError) in
                var section = try FieldReader(exemplars, path: "storage.exemplars", file: file)
                let count = try section.optionalInteger("max_exemplars")
                try section.finish()
                return count.map { max(0, $0) }
            }?.flatMap { $0 }
        }
        if let tsdb = fields.optional("tsdb") {
            _ = fields.collect { (_) throws(YAMLError) in try readDatabase(tsdb, file: file) }
        }
        try fields.finish()
    }

    private mutating func readDatabase(_ node: YAMLNode, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: "storage.tsdb", file: file)
        outOfOrderWindow = try fields.optionalDuration("out_of_order_time_window") ?? .zero
        if let retention = fields.optional("retention") {
            var section = try FieldReader(retention, path: "storage.tsdb.retention", file: file)
            self.retention = try section.optionalNonZeroDuration("time")
            retentionBytes = try section.optionalSize("size").flatMap { $0 > 0 ? $0 : nil }
            retentionPercentage = try section.optionalNumber("percentage").flatMap { $0 == 0 ? nil : $0 }
            if let percentage = retentionPercentage, !(0...100).contains(percentage) {
                section.note(
                    "must be in the range [0, 100]", at: retention["percentage"], field: "percentage")
            }
            try section.finish()
        }
        if let threshold = try fields.optionalNumber("stale_series_compaction_threshold"), threshold != 0 {
            noteWithoutEffect("stale_series_compaction_threshold", fields)
        }
        if let encoding = fields.optional("chunk_encoding") {
            var section = try FieldReader(encoding, path: "storage.tsdb.chunk_encoding", file: file)
            if let floats = try section.optionalText("floats"), !["", "xor", "xor2"].contains(floats) {
                section.note(
                    "unknown encoding \"\(floats)\", expected xor or xor2", at: encoding["floats"], field: "floats")
            }
            try section.finish()
            noteWithoutEffect("chunk_encoding", fields)
        }
        try fields.finish()
    }

    private mutating func noteWithoutEffect(_ name: String, _ fields: FieldReader) {
        warnings.append(fields.plainFault("has no effect", at: fields.node[name], field: name))
    }

    private mutating func readPools(
        _ nodes: [YAMLNode], _ defaults: ScrapePool, _ fields: inout FieldReader
    ) {
        for (index, node) in nodes.enumerated() {
            let path = "scrape_configs[\(index)]"
            if node.isNull {
                fields.note("empty or null scrape config section", at: node, field: path)
                continue
            }
            let name = node["job_name"]?.text ?? ""
            if !name.isEmpty, pools.contains(where: { $0.name == name }) {
                fields.note(
                    "found multiple scrape configs with job name \"\(name)\"", at: node, field: "\(path).job_name")
            }
            // An invalid job still reserves its name.
            var pool = ScrapePool(name: name)
            _ = fields.collect { (fields) throws(YAMLError) in
                pool = try ScrapePool(node, defaults: defaults, path: path, file: fields.file, &warnings)
            }
            pools.append(pool)
        }
    }

    private mutating func readPoolFile(_ path: String, _ defaults: ScrapePool) throws(YAMLError) {
        let bytes: [UInt8]
        do throws(FileText.ReadError) {
            bytes = try FileText.bytes(path, limit: 64 << 20)
        } catch {
            throw YAMLError(file: path, line: 0, column: 0, field: "", message: error.reason)
        }
        for document in try YAML.parse(bytes, file: path) {
            var fields = try FieldReader(document, path: "", file: path)
            readPools(try fields.list("scrape_configs"), defaults, &fields)
            try fields.finish()
        }
    }

    private mutating func readAlerting(_ node: YAMLNode, file: String, _ directory: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: "alerting", file: file)
        alertRelabelRules = try RelabelRule.list(&fields, "alert_relabel_configs")
        for (index, entry) in try fields.list("alertmanagers").enumerated() {
            let path = fields.path(of: "alertmanagers[\(index)]")
            if entry.isNull {
                fields.note("empty or null section", at: entry, field: "alertmanagers[\(index)]")
                continue
            }
            let group = fields.collect { (_) throws(YAMLError) in
                try AlertmanagerGroup(entry, path: path, file: file, directory, &warnings)
            }
            if let group { alertmanagers.append(group) }
        }
        try fields.finish()
    }
}

extension PrometheusConfiguration.AlertmanagerGroup {
    init(
        _ node: YAMLNode, path: String, file: String, _ directory: String, _ warnings: inout [YAMLError]
    ) throws(YAMLError) {
        self.init()
        var fields = try FieldReader(node, path: path, file: file)
        scheme = try fields.scheme(&warnings) ?? scheme
        pathPrefix = try fields.optionalText("path_prefix") ?? ""
        timeout = try fields.optionalInterval("timeout") ?? timeout
        if let version = try fields.optionalText("api_version"), version != "v2" {
            fields.note(
                "expected Alertmanager api version to be \"v2\"", at: node["api_version"], field: "api_version")
        }
        http = fields.collect { (fields) throws(YAMLError) in try HTTPSettings(&fields, directory: directory) } ?? http
        if fields.optional("sigv4") != nil {
            warnings.append(fields.plainFault("has no effect", at: node["sigv4"], field: "sigv4"))
        }
        relabelRules = try RelabelRule.list(&fields, "relabel_configs")
        staticTargets = try TargetGroup.staticGroups(&fields)
        if node["relabel_configs"]?.elements?.isEmpty ?? true { ScrapePool.checkAddresses(staticTargets, &fields) }
        discovery = try DiscoveryMechanism.list(&fields, directory: directory)
        alertRelabelRules = try RelabelRule.list(&fields, "alert_relabel_configs")
        try fields.finish()
    }
}
