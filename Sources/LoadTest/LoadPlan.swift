internal import MetricModel
public import YAML

/// A load test: targets, rates, limits. A value.
public struct LoadPlan: Equatable, Sendable {
    /// One kind of request.
    public struct Target: Equatable, Sendable {
        /// The name in reports, such as that of the service.
        public var name: String
        /// The URL.
        public var url: String
        /// The method.
        public var method = "GET"
        /// Header fields.
        public var headers: [String: String] = [:]
        /// The body.
        public var body = ""
        /// Its share of all requests, relative to those of the others.
        public var weight = 1.0
        /// Statuses of a success; 200 to 299 if there are none.
        public var expected: [Int] = []

        /// A target with a GET request.
        public init(name: String, url: String) {
            self.name = name
            self.url = url
        }

        func isSuccess(_ status: Int) -> Bool {
            expected.isEmpty ? (200..<300).contains(status) : expected.contains(status)
        }
    }

    /// A header field that every answer must have.
    public struct HashCheck: Equatable, Sendable {
        /// The name of the field.
        public var header = "X-Constitutional-Hash"
        /// Its value.
        public var value: String

        /// A check for `value`.
        public init(value: String) { self.value = value }
    }

    /// The targets.
    public var targets: [Target] = []
    /// The stages; 100 requests per second for 300 seconds unless given.
    public var stages = [LoadStage(seconds: 300, from: 100, to: 100)]
    /// The most requests at once. Others wait, and their waiting counts as latency.
    public var connections = 50
    /// A request without an answer after this many seconds has failed.
    public var timeout = 10.0
    /// The check of answers; `nil` for none.
    public var hash: HashCheck?
    /// The conditions at the end.
    public var thresholds: [LoadThreshold] = []

    /// A plan without targets.
    public init() {}

    static let rates = 0.0...1_000_000.0
    static let durations = 0.001...604_800.0
    /// The most connections.
    public static let connectionLimit = 10_000
    static let targetLimit = 1000
}

extension LoadPlan {
    /// Reads a file.
    public init(_ node: YAMLNode, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: "", file: file)
        let rate = try Self.number(&fields, "rate", in: 0.001...Self.rates.upperBound) ?? 100
        let seconds = try Self.seconds(&fields, "duration") ?? 300
        stages = [LoadStage(seconds: seconds, from: rate, to: rate)]
        let listed = try fields.list("stages")
        if !listed.isEmpty { stages = [] }
        var last = rate
        for (index, element) in listed.enumerated() {
            var inner = try FieldReader(element, path: "stages[\(index)]", file: file)
            guard let seconds = try Self.seconds(&inner, "duration") else {
                throw inner.fault("the field \"duration\" is required")
            }
            let from = try Self.number(&inner, "rate", in: Self.rates) ?? last
            let to = try Self.number(&inner, "to", in: Self.rates) ?? from
            try inner.finish()
            stages.append(LoadStage(seconds: seconds, from: from, to: to))
            last = to
        }
        let connections = try Self.number(&fields, "connections", in: 1...Double(Self.connectionLimit))
        self.connections = connections.map { Int($0) } ?? self.connections
        timeout = try Self.seconds(&fields, "timeout") ?? timeout
        if let node = fields.optional("hash") {
            var inner = try FieldReader(node, path: "hash", file: file)
            var check = HashCheck(value: try inner.text("value"))
            check.header = try inner.optionalText("header") ?? check.header
            try inner.finish()
            hash = check
        }
        for (index, element) in try fields.list("targets").enumerated() {
            guard index < Self.targetLimit else { throw fields.fault("more than \(Self.targetLimit) targets") }
            targets.append(try Target(element, path: "targets[\(index)]", file: file))
        }
        for (index, text) in try fields.textList("thresholds").enumerated() {
            guard let threshold = LoadThreshold(text) else {
                throw fields.fault(LoadThreshold.expectation, at: node["thresholds"], field: "thresholds[\(index)]")
            }
            thresholds.append(threshold)
        }
        try fields.finish()
    }

    private static func number(
        _ fields: inout FieldReader, _ name: String, in range: ClosedRange<Double>
    ) throws(YAMLError) -> Double? {
        guard let value = try fields.optionalNumber(name) else { return nil }
        guard range.contains(value) else {
            let message = "must be between \(range.lowerBound) and \(range.upperBound)"
            throw fields.fault(message, at: fields.optional(name), field: name)
        }
        return value
    }

    private static func seconds(_ fields: inout FieldReader, _ name: String) throws(YAMLError) -> Double? {
        guard let text = try fields.optionalText(name) else { return nil }
        guard let duration = Milliseconds(parsing: text), durations.contains(Double(duration.rawValue) / 1000) else {
            throw fields.fault("must be a duration of 1ms to 1w, such as 30s", at: fields.optional(name), field: name)
        }
        return Double(duration.rawValue) / 1000
    }
}

extension LoadPlan.Target {
    init(_ node: YAMLNode, path: String, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: path, file: file)
        url = try fields.text("url")
        guard url.hasPrefix("http://") || url.hasPrefix("https://") else {
            throw fields.fault("expected a URL of http or https", at: fields.optional("url"), field: "url")
        }
        name = try fields.optionalText("name") ?? url
        body = try fields.optionalText("body") ?? ""
        method = try fields.optionalText("method") ?? (body.isEmpty ? "GET" : "POST")
        for pair in try fields.textMapping("headers") { headers[pair.name] = pair.value }
        if let weight = try fields.optionalNumber("weight") {
            guard weight > 0, weight <= 1e6 else {
                throw fields.fault("must be above 0", at: fields.optional("weight"), field: "weight")
            }
            self.weight = weight
        }
        for text in try fields.textList("expect") {
            guard let status = Int(text), (100...599).contains(status) else {
                throw fields.fault("expected statuses of 100 to 599", at: fields.optional("expect"), field: "expect")
            }
            expected.append(status)
        }
        try fields.finish()
    }
}
