internal import ConfigurationFields
internal import Discovery
internal import MetricModel
internal import Runtime
internal import YAML

extension PrometheusConfiguration {
    /// Reads the file at `path`.
    public init(contentsOf path: String) throws(ConfigurationError) {
        let bytes: [UInt8]
        do throws(FileText.ReadError) {
            bytes = try FileText.bytes(path, limit: 64 << 20)
        } catch {
            throw ConfigurationError(errors: [
                YAMLError(file: path, line: 0, column: 0, field: "", message: error.reason)
            ])
        }
        try self.init(parsing: bytes, file: path)
    }

    /// Reads `bytes`; paths in it are relative to the directory of `file`.
    public init(parsing bytes: [UInt8], file: String) throws(ConfigurationError) {
        self.init()
        var errors: [YAMLError] = []
        do throws(YAMLError) {
            let documents = try YAML.parse(bytes, file: file)
            guard documents.count <= 1 else {
                let extra = documents[1]
                throw YAMLError(
                    file: file, line: extra.line, column: extra.column, field: "", message: "more than one document")
            }
            if let root = documents.first {
                shownText = SecretMask.masked(root).blockText
                try read(root, file: file, &errors)
            }
        } catch {
            errors.append(error)
        }
        if !errors.isEmpty {
            throw ConfigurationError(errors: errors.sorted { ($0.line, $0.column) < ($1.line, $1.column) })
        }
    }

    /// Errors of single jobs are collected, so that all of them can be shown at once.
    private mutating func read(_ root: YAMLNode, file: String, _ errors: inout [YAMLError]) throws(YAMLError) {
        let directory = Paths.directory(of: file)
        var fields = try FieldReader(root, path: "", file: file)
        var defaults = ScrapePool(name: "")
        do throws(YAMLError) {
            if let node = fields.optional("global") {
                defaults = try readGlobal(node, file: file)
            }
        } catch {
            errors.append(error)
        }
        ruleFiles = try fields.textList("rule_files").map { Paths.resolve($0, from: directory) }
        readPools(try fields.list("scrape_configs"), defaults, file: file, &errors)
        for pattern in try fields.textList("scrape_config_files") {
            for path in Paths.existing(Paths.resolve(pattern, from: directory)) {
                try readPoolFile(path, defaults, &errors)
            }
        }
        if let node = fields.optional("alerting") {
            do throws(YAMLError) {
                try readAlerting(node, file: file, directory)
            } catch {
                errors.append(error)
            }
        }
        for name in ["remote_write", "remote_read"] {
            do throws(YAMLError) {
                try fields.refuse(name, "Tribune keeps its own history; take it out")
            } catch {
                errors.append(error)
            }
        }
        if let node = fields.optional("storage") {
            do throws(YAMLError) { try readStorage(node, file: file) } catch { errors.append(error) }
        }
        for name in ["tracing", "otlp"] {
            guard let node = fields.optional(name) else { continue }
            warnings.append(
                fields.fault("this section belongs to Prometheus and has no effect", at: node, field: name))
        }
        errors += fields.unknownFields()
    }

    private mutating func readGlobal(_ node: YAMLNode, file: String) throws(YAMLError) -> ScrapePool {
        var fields = try FieldReader(node, path: "global", file: file)
        var defaults = ScrapePool(name: "")
        scrapeInterval = try fields.optionalInterval("scrape_interval") ?? scrapeInterval
        defaults.interval = scrapeInterval
        let timeout = try fields.optionalInterval("scrape_timeout")
        if let timeout, timeout > scrapeInterval {
            throw fields.fault("global scrape timeout greater than scrape interval", at: node["scrape_timeout"])
        }
        defaults.timeout = timeout ?? min(defaults.timeout, scrapeInterval)
        evaluationInterval = try fields.optionalInterval("evaluation_interval") ?? evaluationInterval
        ruleQueryOffset = try fields.optionalDuration("rule_query_offset") ?? .zero
        externalLabels = try fields.labels("external_labels")
        try defaults.readSharedFields(&fields, &warnings)
        for name in ["query_log_file", "runtime", "metric_name_escaping_scheme"] where fields.optional(name) != nil {
            warnings.append(fields.fault("has no effect", at: node[name], field: name))
        }
        try fields.finish()
        return defaults
    }

    /// Exemplars are kept here too; the rest speaks of Prometheus's own files.
    private mutating func readStorage(_ node: YAMLNode, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: "storage", file: file)
        if let exemplars = fields.optional("exemplars") {
            var section = try FieldReader(exemplars, path: "storage.exemplars", file: file)
            maximumExemplars = try section.optionalInteger("max_exemplars")
            try section.finish()
        }
        for name in ["tsdb", "parquet", "out_of_order_time_window"] {
            guard let place = fields.optional(name) else { continue }
            warnings.append(
                fields.fault("this section belongs to Prometheus and has no effect", at: place, field: name))
        }
        try fields.finish()
    }

    private mutating func readPools(
        _ nodes: [YAMLNode], _ defaults: ScrapePool, file: String, _ errors: inout [YAMLError]
    ) {
        for (index, node) in nodes.enumerated() {
            do throws(YAMLError) {
                let path = "scrape_configs[\(index)]"
                let pool = try ScrapePool(node, defaults: defaults, path: path, file: file, &warnings)
                if pools.contains(where: { $0.name == pool.name }) {
                    throw YAMLError(
                        file: file, line: node.line, column: node.column, field: "\(path).job_name",
                        message: "found multiple scrape configs with job name \"\(pool.name)\"")
                }
                pools.append(pool)
            } catch {
                errors.append(error)
            }
        }
    }

    private mutating func readPoolFile(
        _ path: String, _ defaults: ScrapePool, _ errors: inout [YAMLError]
    ) throws(YAMLError) {
        let bytes: [UInt8]
        do throws(FileText.ReadError) {
            bytes = try FileText.bytes(path, limit: 64 << 20)
        } catch {
            throw YAMLError(file: path, line: 0, column: 0, field: "", message: error.reason)
        }
        for document in try YAML.parse(bytes, file: path) {
            var fields = try FieldReader(document, path: "", file: path)
            readPools(try fields.list("scrape_configs"), defaults, file: path, &errors)
            try fields.finish()
        }
    }

    private mutating func readAlerting(_ node: YAMLNode, file: String, _ directory: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: "alerting", file: file)
        alertRelabelRules = try RelabelRule.list(&fields, "alert_relabel_configs")
        for (index, entry) in try fields.list("alertmanagers").enumerated() {
            let path = fields.path(of: "alertmanagers[\(index)]")
            alertmanagers.append(try AlertmanagerGroup(entry, path: path, file: file, directory))
        }
        try fields.finish()
    }
}

extension PrometheusConfiguration.AlertmanagerGroup {
    init(_ node: YAMLNode, path: String, file: String, _ directory: String) throws(YAMLError) {
        self.init()
        var fields = try FieldReader(node, path: path, file: file)
        scheme = try fields.scheme() ?? scheme
        pathPrefix = try fields.optionalText("path_prefix") ?? ""
        timeout = try fields.optionalInterval("timeout") ?? timeout
        if let version = try fields.optionalText("api_version"), version != "v2" {
            throw fields.fault(
                "expected Alertmanager api version to be \"v2\"", at: node["api_version"], field: "api_version")
        }
        http = try HTTPSettings(&fields, directory: directory)
        relabelRules = try RelabelRule.list(&fields, "relabel_configs")
        staticTargets = try TargetGroup.staticGroups(&fields)
        if relabelRules.isEmpty { try ScrapePool.checkAddresses(staticTargets, fields) }
        discovery = try DiscoveryMechanism.list(&fields, directory: directory)
        alertRelabelRules = try RelabelRule.list(&fields, "alert_relabel_configs")
        try fields.finish()
    }
}
