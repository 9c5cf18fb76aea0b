public import Identity
public import MetricModel
internal import Runtime
public import WebServer

/// One request with typed access to its parameters. A value.
public struct APIRequest: Sendable {
    /// The HTTP request.
    public let request: HTTPServerRequest
    /// The fields of a form body, then those of the URL. If a parameter may occur only once, the first one is used.
    public let parameters: [(name: String, value: String)]
    /// The values of the path parameters in their order.
    public let pathParameters: [String]
    /// The sender of the request.
    public let principal: Principal

    /// A request with its path parameters.
    public init(
        _ request: HTTPServerRequest, pathParameters: [String] = [], principal: Principal = Principal()
    ) {
        self.request = request
        self.parameters = (request.method == "POST" || request.method == "PUT" ? request.form : []) + request.query
        self.pathParameters = pathParameters
        var principal = principal
        if principal.claimed == nil, let name = parameters.first(where: { $0.name == "actor" })?.value,
            (1...200).contains(name.utf8.count)
        {
            principal.claimed = name
        }
        self.principal = principal
    }

    /// The parameter `name`, or an empty text.
    public subscript(name: String) -> String { parameters.first { $0.name == name }?.value ?? "" }

    /// The conditions that every selector needs in addition, because the sender may see only some series.
    public var labelConditions: [Matcher] { principal.scope.matchers }

    /// The parameter `name` of the URL, or an empty text; the form is not read.
    public func urlParameter(_ name: String) -> String { request.query.first { $0.name == name }?.value ?? "" }

    /// Every value of `name`.
    public func all(_ name: String) -> [String] { parameters.filter { $0.name == name }.map(\.value) }

    /// Who sends the request: the proved name; where nothing was proved, the name in the header `X-Tribune-Actor` or
    /// the parameter `actor`, or the client's address.
    public var actor: String { principal.displayName }

    // MARK: Typed parameters

    /// A required time.
    public func time(_ name: String) throws(APIError) -> Timestamp {
        guard let time = Self.timestamp(self[name]) else {
            throw .invalid(name, "cannot parse \(MetricText.quoted(self[name])) to a valid timestamp")
        }
        return time
    }

    /// An optional time.
    public func time(_ name: String, default: Timestamp) throws(APIError) -> Timestamp {
        if self[name].isEmpty { return `default` }
        guard let time = Self.timestamp(self[name]) else {
            throw .invalid(
                name,
                "invalid time value for '\(name)': cannot parse \(MetricText.quoted(self[name])) to a valid timestamp")
        }
        return time
    }

    /// A required duration.
    public func duration(_ name: String) throws(APIError) -> Milliseconds {
        switch Self.duration(self[name]) {
        case .success(let duration): return duration
        case .failure(let error): throw .invalid(name, error.reason)
        }
    }

    /// A number of results; 0 for no limit.
    public func limit(_ name: String = "limit") throws(APIError) -> Int {
        let text = self[name]
        if text.isEmpty { return 0 }
        guard let limit = Int(text) else {
            throw .invalid(name, "strconv.Atoi: parsing \(MetricText.quoted(text)): invalid syntax")
        }
        if limit < 0 { throw .invalid(name, "limit must be non-negative") }
        return limit
    }

    // MARK: Text forms

    /// Reads seconds since the epoch, or RFC 3339.
    public static func timestamp(_ text: String) -> Timestamp? {
        if let seconds = number(text) {
            let milliseconds = seconds * 1000
            return milliseconds.magnitude < 0x1p62 ? Timestamp(milliseconds: Int64(milliseconds.rounded())) : nil
        }
        return RFC3339.milliseconds(parsing: text).map(Timestamp.init(milliseconds:))
    }

    /// Why a text is not a duration.
    public struct DurationError: Error {
        /// Prometheus's text.
        public var reason: String
    }

    /// Reads seconds, or a duration in Prometheus's notation.
    public static func duration(_ text: String) -> Result<Milliseconds, DurationError> {
        let quoted = MetricText.quoted(text)
        if let seconds = number(text) {
            // Prometheus counts nanoseconds and drops fractions of a millisecond in the evaluation.
            guard (seconds * 1e9).magnitude < 0x1p63 else {
                return .failure(
                    DurationError(reason: "cannot parse \(quoted) to a valid duration. It overflows int64"))
            }
            return .success(.milliseconds(Int64(seconds * 1e9) / 1_000_000))
        }
        guard let duration = Milliseconds(parsing: text) else {
            return .failure(DurationError(reason: "cannot parse \(quoted) to a valid duration"))
        }
        return .success(duration)
    }

    /// A finite decimal number; `nil` for hexadecimal numbers and words, which are not times.
    private static func number(_ text: String) -> Double? {
        let isDecimal = text.utf8.allSatisfy {
            ($0 >= 0x30 && $0 <= 0x39) || "+-.eE".utf8.contains($0)
        }
        guard isDecimal, let value = Double(text), value.isFinite else { return nil }
        return value
    }
}
