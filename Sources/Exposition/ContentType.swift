/// Determines the format of a body from its `Content-Type` header.
public enum ContentType {
    /// The choice for a body.
    public struct Choice: Equatable, Sendable {
        /// The format; `nil` if the scrape must fail.
        public var format: ExpositionFormat?
        /// The errors in the header; empty if there are none.
        public var message: String
    }

    /// Decides by the media type alone. Parameters must only be well-formed.
    ///
    /// - Parameter fallback: the format of targets that send no usable media type, if the configuration sets one.
    public static func choose(_ header: String?, fallback: ExpositionFormat?) -> Choice {
        let header = header ?? ""
        let problem: String
        switch mediaType(header) {
        case .success(let type):
            switch type {
            case "text/plain": return Choice(format: .text, message: "")
            case "application/openmetrics-text": return Choice(format: .openMetrics, message: "")
            case "application/vnd.google.protobuf": return Choice(format: .protobuf, message: "")
            default: problem = "received unsupported Content-Type \"\(header)\""
            }
        case .failure(let fault):
            problem =
                header.isEmpty
                ? "non-compliant scrape target sending blank Content-Type"
                : "cannot parse Content-Type \"\(header)\" (\(fault.message))"
        }
        guard let fallback else {
            return Choice(format: nil, message: problem + " and no fallback_scrape_protocol specified for target")
        }
        return Choice(
            format: fallback, message: problem + ", using fallback_scrape_protocol \"\(fallback.mediaType)\"")
    }

    private struct Fault: Error {
        let message: String
    }

    /// The media type in lower case, without parameters.
    private static func mediaType(_ header: String) -> Result<String, Fault> {
        let parts = header.split(separator: ";", omittingEmptySubsequences: false).map(trimmed)
        let words = parts[0].split(separator: "/", omittingEmptySubsequences: false).map { String($0) }
        guard let first = words.first, isToken(first) else { return .failure(Fault(message: "no media type")) }
        if words.count > 1, !isToken(words[1]) { return .failure(Fault(message: "expected token after slash")) }
        if words.count > 2 { return .failure(Fault(message: "unexpected content after media subtype")) }
        var names: Set<String> = []
        for parameter in parts.dropFirst() where !parameter.isEmpty {
            let sides = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard sides.count == 2, isToken(String(sides[0])), isToken(unquoted(sides[1])) else {
                return .failure(Fault(message: "invalid media parameter"))
            }
            guard names.insert(sides[0].lowercased()).inserted else {
                return .failure(Fault(message: "duplicate parameter name"))
            }
        }
        return .success(parts[0].lowercased())
    }

    private static func trimmed(_ text: Substring) -> String {
        let start = text.drop { $0 == " " || $0 == "\t" }
        return String(start.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }

    private static func unquoted(_ text: Substring) -> String {
        text.count >= 2 && text.first == "\"" && text.last == "\"" ? String(text.dropFirst().dropLast()) : String(text)
    }

    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && !"()<>@,;:\\\"/[]?=".utf8.contains($0) }
    }
}

extension ExpositionFormat {
    /// The media type without parameters.
    public var mediaType: String {
        switch self {
        case .text: "text/plain"
        case .openMetrics: "application/openmetrics-text"
        case .protobuf: "application/vnd.google.protobuf"
        }
    }

    /// The `Content-Type` of a response in this format.
    public var contentType: String {
        switch self {
        case .text: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        case .protobuf: mediaType + "; proto=io.prometheus.client.MetricFamily; encoding=delimited"
        }
    }

    /// The format for a client with the header `accept`: OpenMetrics if its quality is not lower than that of text.
    public init(accept: String?) {
        func quality(of type: String) -> Double? {
            let ranges = (accept ?? "").split(separator: ",").filter { $0.contains(type) }
            return ranges.map { range in
                let weight = range.split(separator: ";").first { $0.drop { $0 == " " }.hasPrefix("q=") }
                return weight.flatMap { Double($0.drop { $0 == " " }.dropFirst(2)) } ?? 1
            }.max()
        }
        let openMetrics = quality(of: Self.openMetrics.mediaType) ?? 0
        self = openMetrics > 0 && openMetrics >= quality(of: Self.text.mediaType) ?? 0 ? .openMetrics : .text
    }
}
