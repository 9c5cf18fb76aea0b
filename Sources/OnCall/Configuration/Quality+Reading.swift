internal import ConfigurationFields
internal import MetricModel
internal import YAML

extension Roster {
    /// Reads what keeps pages from being noise: dependencies of services and the rule of flapping.
    mutating func readQuality(_ fields: inout FieldReader) throws(YAMLError) {
        for (index, element) in try fields.list("dependencies").enumerated() {
            var reader = try FieldReader(element, path: "dependencies[\(index)]", file: fields.file)
            let service = try reader.text("service")
            try Self.unique(
                dependencies[service] == nil, service, element, "dependencies[\(index)].service", fields.file)
            let needs = Set(try reader.textList("needs"))
            if needs.isEmpty { throw reader.fault("at least one service is required", field: "needs") }
            try reader.finish()
            dependencies[service] = needs
            if self.needs(service, service) {
                throw reader.fault(
                    "the service needs itself, by the dependencies so far", at: reader.optional("needs"), field: "needs"
                )
            }
        }
        if let node = fields.optional("flapping") {
            var reader = try FieldReader(node, path: "flapping", file: fields.file)
            let pages = try reader.optionalInteger("pages") ?? 3
            guard (2...100).contains(pages) else {
                throw reader.fault("expected 2 to 100", at: reader.optional("pages"), field: "pages")
            }
            let window = try reader.optionalDuration("within") ?? .hours(1)
            let quiet = try reader.optionalDuration("quiet") ?? .minutes(30)
            for (name, value) in [("within", window), ("quiet", quiet)] {
                guard value >= .minutes(1), value <= .hours(24) else {
                    throw reader.fault("must be 1m to 1d", at: reader.optional(name), field: name)
                }
            }
            try reader.finish()
            flapping = Flapping(pages: pages, window: window, quiet: quiet)
        }
    }
}
