/// Escaping of metric and label names outside `[a-zA-Z0-9_:]` for clients that do not support UTF-8.
///
/// - Note: Source: prometheus/common/model/metric.go, `EscapeName`.
public enum NameEscaping: String, Sendable, CaseIterable {
    /// Names are not changed.
    case allowUTF8 = "allow-utf-8"
    /// Other characters become `_`.
    case underscores
    /// Dots become `_dot_`, underscores and other characters `__`.
    case dots
    /// `U__`, then other characters as their hexadecimal code: `_2e_`.
    case values

    /// `name` in this scheme. Names without other characters are not changed.
    public func escaped(_ name: String) -> String {
        if self == .allowUTF8 || name.isEmpty || MetricText.isLegacyMetricName(name) { return name }
        var result = self == .values ? "U__" : ""
        for (index, scalar) in name.unicodeScalars.enumerated() {
            let isPlain = Self.isPlain(scalar, isFirst: index == 0)
            switch self {
            case .allowUTF8: break
            case .underscores: result.unicodeScalars.append(isPlain ? scalar : "_")
            case .dots:
                switch scalar {
                case "_": result += "__"
                case ".": result += "_dot_"
                case _ where isPlain: result.unicodeScalars.append(scalar)
                default: result += "__"
                }
            case .values:
                if scalar == "_" {
                    result += "__"
                } else if isPlain {
                    result.unicodeScalars.append(scalar)
                } else {
                    result += "_" + String(scalar.value, radix: 16) + "_"
                }
            }
        }
        return result
    }

    private static func isPlain(_ scalar: Unicode.Scalar, isFirst: Bool) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "_", ":": true
        case "0"..."9": !isFirst
        default: false
        }
    }
}
