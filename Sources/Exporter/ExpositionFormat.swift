internal import MetricModel

/// The text format of a response with metrics, and its escaping of UTF-8 names. A value.
struct ExpositionFormat: Equatable {
    enum Syntax {
        case prometheus
        case openMetrics
    }

    var syntax = Syntax.prometheus
    /// As in Prometheus, clients must request UTF-8 names.
    var escaping = NameEscaping.underscores

    /// The best format of the header `Accept`: by quality, then by position.
    init(accepting accept: String? = nil) {
        var quality = 0.0
        for entry in (accept ?? "").split(separator: ",") {
            let parts = entry.split(separator: ";").map { Self.trimmed($0).lowercased() }
            let found: Syntax
            switch parts.first {
            case "application/openmetrics-text": found = .openMetrics
            case "text/plain", "text/*", "*/*": found = .prometheus
            default: continue
            }
            let wanted = Self.value(of: "q", in: parts).map { Double($0) ?? 0 } ?? 1
            guard wanted > quality else { continue }
            quality = wanted
            syntax = found
            escaping = Self.value(of: "escaping", in: parts).flatMap(NameEscaping.init(rawValue:)) ?? .underscores
        }
    }

    var contentType: String {
        switch syntax {
        case .prometheus: "text/plain; version=0.0.4; charset=utf-8; escaping=\(escaping.rawValue)"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=\(escaping.rawValue)"
        }
    }

    /// The value of a parameter of a media type.
    private static func value(of name: String, in parts: [String]) -> String? {
        for part in parts.dropFirst() where part.hasPrefix(name + "=") { return String(part.dropFirst(name.count + 1)) }
        return nil
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var rest = text.drop { $0 == " " || $0 == "\t" }
        while rest.last == " " || rest.last == "\t" { rest.removeLast() }
        return rest
    }
}
