internal import MetricModel
internal import PromQL
internal import Runtime
internal import WebServer

/// The parameters of one API call.
struct APICall {
    let request: HTTPServerRequest
    /// Fields of a form body first, then those of the URL: for a single parameter the first one counts.
    let parameters: [(name: String, value: String)]
    /// Pieces of the path where its pattern has a gap.
    let path: [String]
    /// What the answer may take.
    let effort: EvaluationEffort

    init(_ request: HTTPServerRequest, path: [String] = [], effort: EvaluationEffort = .full) {
        self.request = request
        self.effort = effort
        self.parameters = (request.method == "POST" || request.method == "PUT" ? request.form : []) + request.query
        self.path = path
    }

    /// The parameter `name`, or nothing.
    subscript(name: String) -> String { parameters.first { $0.name == name }?.value ?? "" }

    /// The parameter `name` of the URL alone, or nothing.
    func urlOnly(_ name: String) -> String { request.query.first { $0.name == name }?.value ?? "" }

    /// Every value of `name`.
    func all(_ name: String) -> [String] { parameters.filter { $0.name == name }.map(\.value) }

    // MARK: Typed parameters

    /// A moment that must be given.
    func time(_ name: String) throws(APIError) -> Timestamp {
        guard let time = Self.timestamp(self[name]) else {
            throw .invalid(name, "cannot parse \(MetricText.quoted(self[name])) to a valid timestamp")
        }
        return time
    }

    /// A moment that may be left out.
    func time(_ name: String, default: Timestamp) throws(APIError) -> Timestamp {
        if self[name].isEmpty { return `default` }
        guard let time = Self.timestamp(self[name]) else {
            throw .invalid(
                name,
                "invalid time value for '\(name)': cannot parse \(MetricText.quoted(self[name])) to a valid timestamp")
        }
        return time
    }

    /// A length of time that must be given.
    func duration(_ name: String) throws(APIError) -> Milliseconds {
        switch Self.duration(self[name]) {
        case .success(let duration): return duration
        case .failure(let error): throw .invalid(name, error.cause)
        }
    }

    /// A number of results; 0 for no limit.
    func limit(_ name: String = "limit") throws(APIError) -> Int {
        let text = self[name]
        if text.isEmpty { return 0 }
        guard let limit = Int(text) else {
            throw .invalid(name, "strconv.Atoi: parsing \(MetricText.quoted(text)): invalid syntax")
        }
        if limit < 0 { throw .invalid(name, "limit must be non-negative") }
        return limit
    }

    // MARK: Text forms

    /// Seconds since the epoch, or a date.
    static func timestamp(_ text: String) -> Timestamp? {
        if let seconds = number(text) {
            let milliseconds = seconds * 1000
            return milliseconds.magnitude < 0x1p62 ? Timestamp(milliseconds: Int64(milliseconds.rounded())) : nil
        }
        return RFC3339.milliseconds(parsing: text).map(Timestamp.init(milliseconds:))
    }

    struct DurationFault: Error {
        var cause: String
    }

    /// Seconds, or a duration in Prometheus's notation.
    static func duration(_ text: String) -> Result<Milliseconds, DurationFault> {
        let quoted = MetricText.quoted(text)
        if let seconds = number(text) {
            // Prometheus counts in nanoseconds, and leaves out what is less than a millisecond where it evaluates.
            guard (seconds * 1e9).magnitude < 0x1p63 else {
                return .failure(DurationFault(cause: "cannot parse \(quoted) to a valid duration. It overflows int64"))
            }
            return .success(.milliseconds(Int64(seconds * 1e9) / 1_000_000))
        }
        guard let duration = Milliseconds(parsing: text) else {
            return .failure(DurationFault(cause: "cannot parse \(quoted) to a valid duration"))
        }
        return .success(duration)
    }

    /// A finite decimal number; `nil` for hexadecimal forms and words, which have no meaning as a time.
    private static func number(_ text: String) -> Double? {
        let isDecimal = text.utf8.allSatisfy {
            ($0 >= 0x30 && $0 <= 0x39) || "+-.eE".utf8.contains($0)
        }
        guard isDecimal, let value = Double(text), value.isFinite else { return nil }
        return value
    }
}
