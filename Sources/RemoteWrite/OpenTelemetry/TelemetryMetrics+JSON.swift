package import JSON

extension TelemetryMetrics {
    /// Reads `ExportMetricsServiceRequest` in OTLP's form of JSON: names in camel case, 64-bit numbers as texts or
    /// numbers, ids as hexadecimal digits. Unknown members are ignored, as the specification demands.
    package init(json: JSON) throws(JSONFieldError) {
        let fields = try TelemetryFields(json, path: "")
        resources = try fields.list("resourceMetrics") { (entry) throws(JSONFieldError) in
            var resource = TelemetryResource()
            resource.attributes = try entry.attributes("attributes", in: "resource")
            resource.scopes = try entry.list("scopeMetrics") { (scope) throws(JSONFieldError) in
                try TelemetryScope(scope)
            }
            return resource
        }
    }
}

extension TelemetryScope {
    fileprivate init(_ fields: TelemetryFields) throws(JSONFieldError) {
        self.init()
        if let scope = try fields.object("scope") {
            name = try scope.text("name")
            version = try scope.text("version")
            attributes = try scope.attributes("attributes")
        }
        schemaURL = try fields.text("schemaUrl")
        metrics = try fields.list("metrics") { (metric) throws(JSONFieldError) in try TelemetryMetric(metric) }
    }
}

extension TelemetryMetric {
    fileprivate init(_ fields: TelemetryFields) throws(JSONFieldError) {
        self.init()
        name = try fields.text("name")
        description = try fields.text("description")
        unit = try fields.text("unit")
        if let gauge = try fields.object("gauge") {
            points = .gauge(try gauge.numbers())
        } else if let sum = try fields.object("sum") {
            points = .sum(try sum.numbers(), try sum.temporality(), isMonotonic: try sum.flag("isMonotonic"))
        } else if let histogram = try fields.object("histogram") {
            let list = try histogram.list("dataPoints") { (point) throws(JSONFieldError) in
                try TelemetryHistogram(point)
            }
            points = .histogram(list, try histogram.temporality())
        } else if let histogram = try fields.object("exponentialHistogram") {
            let list = try histogram.list("dataPoints") { (point) throws(JSONFieldError) in
                try TelemetryExponentialHistogram(point)
            }
            points = .exponential(list, try histogram.temporality())
        } else if let summary = try fields.object("summary") {
            points = .summary(
                try summary.list("dataPoints") { (point) throws(JSONFieldError) in try TelemetrySummary(point) })
        }
    }
}

extension TelemetryPoint {
    fileprivate init(_ fields: TelemetryFields) throws(JSONFieldError) {
        self.init()
        attributes = try fields.attributes("attributes")
        start = try fields.unsigned("startTimeUnixNano")
        time = try fields.unsigned("timeUnixNano")
        hasNoValue = try fields.unsigned("flags") & Self.noValueFlag != 0
        exemplars = try fields.list("exemplars") { (entry) throws(JSONFieldError) in
            var exemplar = TelemetryExemplar()
            exemplar.attributes = try entry.attributes("filteredAttributes")
            exemplar.time = try entry.unsigned("timeUnixNano")
            exemplar.value = try entry.number()
            exemplar.spanID = try entry.text("spanId").lowercased()
            exemplar.traceID = try entry.text("traceId").lowercased()
            return exemplar
        }
    }
}

extension TelemetryHistogram {
    fileprivate init(_ fields: TelemetryFields) throws(JSONFieldError) {
        self.init()
        point = try TelemetryPoint(fields)
        count = try fields.unsigned("count")
        sum = try fields.double("sum")
        bucketCounts = try fields.unsignedList("bucketCounts")
        bounds = try fields.values("explicitBounds") { (value, path) throws(JSONFieldError) in
            try TelemetryFields.double(value, path)
        }
    }
}

extension TelemetryExponentialHistogram {
    fileprivate init(_ fields: TelemetryFields) throws(JSONFieldError) {
        self.init()
        point = try TelemetryPoint(fields)
        count = try fields.unsigned("count")
        sum = try fields.double("sum")
        scale = Int32(clamping: try fields.signed("scale") ?? 0)
        zeroCount = try fields.unsigned("zeroCount")
        positive = try Self.buckets("positive", fields)
        negative = try Self.buckets("negative", fields)
    }

    private static func buckets(_ name: String, _ fields: TelemetryFields) throws(JSONFieldError) -> Buckets {
        guard let side = try fields.object(name) else { return Buckets() }
        return Buckets(
            offset: Int32(clamping: try side.signed("offset") ?? 0), counts: try side.unsignedList("bucketCounts"))
    }
}

extension TelemetrySummary {
    fileprivate init(_ fields: TelemetryFields) throws(JSONFieldError) {
        self.init()
        point = try TelemetryPoint(fields)
        count = try fields.unsigned("count")
        sum = try fields.double("sum") ?? 0
        quantiles = try fields.list("quantileValues") { (entry) throws(JSONFieldError) in
            Quantile(quantile: try entry.double("quantile") ?? 0, value: try entry.double("value") ?? 0)
        }
    }
}

/// The members of an object in OTLP's form of JSON.
private struct TelemetryFields {
    private let json: JSON
    private let path: String

    init(_ json: JSON, path: String) throws(JSONFieldError) {
        guard json.members != nil else { throw JSONFieldError(field: path, message: "expected an object") }
        self.json = json
        self.path = path
    }

    private func path(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    private func fault(_ name: String, _ expected: String) -> JSONFieldError {
        JSONFieldError(field: path(name), message: "expected \(expected)")
    }

    /// `nil` if it is missing or null.
    private func value(_ name: String) -> JSON? {
        json[name].flatMap { $0 == .null ? nil : $0 }
    }

    func object(_ name: String) throws(JSONFieldError) -> TelemetryFields? {
        guard let value = value(name) else { return nil }
        return try TelemetryFields(value, path: path(name))
    }

    func text(_ name: String) throws(JSONFieldError) -> String {
        guard let value = value(name) else { return "" }
        guard let text = value.text else { throw fault(name, "text") }
        return text
    }

    func flag(_ name: String) throws(JSONFieldError) -> Bool {
        guard let value = value(name) else { return false }
        guard let flag = value.bool else { throw fault(name, "true or false") }
        return flag
    }

    func signed(_ name: String) throws(JSONFieldError) -> Int64? {
        guard let value = value(name) else { return nil }
        guard let number = value.integer ?? value.text.flatMap({ Int64($0) }) else {
            throw fault(name, "a whole number")
        }
        return number
    }

    func unsigned(_ name: String) throws(JSONFieldError) -> UInt64 {
        guard let value = value(name) else { return 0 }
        return try Self.unsigned(value, path(name))
    }

    func unsignedList(_ name: String) throws(JSONFieldError) -> [UInt64] {
        try values(name) { (value, path) throws(JSONFieldError) in try Self.unsigned(value, path) }
    }

    private static func unsigned(_ value: JSON, _ path: String) throws(JSONFieldError) -> UInt64 {
        let number =
            value.integer.flatMap { UInt64(exactly: $0) } ?? value.text.flatMap { UInt64($0) }
            ?? value.number.flatMap { UInt64(exactly: $0) }
        guard let number else { throw JSONFieldError(field: path, message: "expected a whole number from 0") }
        return number
    }

    func double(_ name: String) throws(JSONFieldError) -> Double? {
        guard let value = value(name) else { return nil }
        return try Self.double(value, path(name))
    }

    static func double(_ value: JSON, _ path: String) throws(JSONFieldError) -> Double {
        if let number = value.number { return number }
        switch value.text {
        case "NaN": return .nan
        case "Infinity": return .infinity
        case "-Infinity": return -.infinity
        case let text?: if let number = Double(text) { return number }
        case nil: break
        }
        throw JSONFieldError(field: path, message: "expected a number")
    }

    /// `asDouble` or `asInt`.
    func number() throws(JSONFieldError) -> Double? {
        if let value = try double("asDouble") { return value }
        return try signed("asInt").map { Double($0) }
    }

    func temporality() throws(JSONFieldError) -> TelemetryMetric.Temporality {
        TelemetryMetric.Temporality(rawValue: try unsigned("aggregationTemporality")) ?? .unspecified
    }

    func numbers() throws(JSONFieldError) -> [TelemetryNumber] {
        try list("dataPoints") { (fields) throws(JSONFieldError) in
            TelemetryNumber(point: try TelemetryPoint(fields), value: try fields.number() ?? 0)
        }
    }

    func values<Value>(
        _ name: String, _ read: (JSON, _ path: String) throws(JSONFieldError) -> Value
    ) throws(JSONFieldError) -> [Value] {
        guard let value = value(name) else { return [] }
        guard let elements = value.elements else { throw fault(name, "a list") }
        var values: [Value] = []
        values.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            values.append(try read(element, "\(path(name))[\(index)]"))
        }
        return values
    }

    func list<Entry>(
        _ name: String, _ read: (TelemetryFields) throws(JSONFieldError) -> Entry
    ) throws(JSONFieldError) -> [Entry] {
        try values(name) { (value, path) throws(JSONFieldError) in try read(TelemetryFields(value, path: path)) }
    }

    /// The attributes in `name` of the object `parent`, or of this one.
    func attributes(_ name: String, in parent: String) throws(JSONFieldError) -> [TelemetryAttribute] {
        try object(parent)?.attributes(name) ?? []
    }

    func attributes(_ name: String) throws(JSONFieldError) -> [TelemetryAttribute] {
        try list(name) { (fields) throws(JSONFieldError) in
            let value = try fields.object("value")?.anyValue() ?? .null
            return TelemetryAttribute(key: try fields.text("key"), value: TelemetryAttribute.text(of: value))
        }
    }

    /// `AnyValue`; the depth is limited by that of JSON texts.
    private func anyValue() throws(JSONFieldError) -> JSON {
        if let value = value("stringValue") ?? value("bytesValue") {
            guard value.text != nil else { throw fault("stringValue", "text") }
            return value
        }
        if let value = value("boolValue") {
            guard value.bool != nil else { throw fault("boolValue", "true or false") }
            return value
        }
        if let number = try signed("intValue") { return .integer(number) }
        if let number = try double("doubleValue") { return .number(number) }
        if let list = try object("arrayValue") {
            return .array(try list.list("values") { (fields) throws(JSONFieldError) in try fields.anyValue() })
        }
        if let map = try object("kvlistValue") {
            let members = try map.list("values") { (fields) throws(JSONFieldError) in
                JSON.Member(try fields.text("key"), try fields.object("value")?.anyValue() ?? .null)
            }
            return .object(members)
        }
        return .null
    }
}
