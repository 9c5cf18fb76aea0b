internal import MetricModel

/// Numbers in a readable form, with the texts of Prometheus's template functions of the same names.
enum Humanize {
    private static let large = ["k", "M", "G", "T", "P", "E", "Z", "Y"]
    private static let small = ["m", "u", "n", "p", "f", "a", "z", "y"]

    /// Four significant digits with a metric prefix: `1.235M`.
    static func decimal(_ value: Double) -> String {
        if value == 0 || !value.isFinite { return significant(value) }
        if value.magnitude < 1 { return fraction(value) }
        var (rest, prefix) = (value, "")
        for name in large where rest.magnitude >= 1000 {
            prefix = name
            rest /= 1000
        }
        return significant(rest) + prefix
    }

    /// Four significant digits with a binary prefix: `1.178Mi`.
    static func binary(_ value: Double) -> String {
        if value.magnitude <= 1 || !value.isFinite { return significant(value) }
        var (rest, prefix) = (value, "")
        for name in ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"] where rest.magnitude >= 1024 {
            prefix = name
            rest /= 1024
        }
        return significant(rest) + prefix
    }

    /// A length in seconds: `1d 2h 3m 4s`, `15.5s`, `234ms`.
    static func duration(_ value: Double) -> String {
        if !value.isFinite { return significant(value) }
        if value == 0 { return significant(value) + "s" }
        if value.magnitude < 1 { return fraction(value) + "s" }
        let sign = value < 0 ? "-" : ""
        let whole = value.magnitude < 0x1p63 ? Int64(value.magnitude) : .max
        let (days, hours, minutes, seconds) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60, whole % 60)
        if days > 0 { return "\(sign)\(days)d \(hours)h \(minutes)m \(seconds)s" }
        if hours > 0 { return "\(sign)\(hours)h \(minutes)m \(seconds)s" }
        if minutes > 0 { return "\(sign)\(minutes)m \(seconds)s" }
        return "\(sign)\(significant(value.magnitude))s"
    }

    /// A ratio in percent: `12.35%`.
    static func percentage(_ value: Double) -> String { significant(value * 100) + "%" }

    private static func fraction(_ value: Double) -> String {
        var (rest, prefix) = (value, "")
        for name in small where rest.magnitude < 1 {
            prefix = name
            rest *= 1000
        }
        return significant(rest) + prefix
    }

    private static func significant(_ value: Double) -> String {
        GoFormat.formatted("%.4g", [.float(value)])
    }
}
