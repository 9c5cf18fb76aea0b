internal import Glibc
internal import MetricModel

/// Numbers and times in labels, error texts and annotations, as Go writes them.
enum NumberText {
    /// `%g`: the shortest digits that give the same number when read.
    static func shortest(_ value: Double) -> String { FloatText.general(value) }

    /// The shortest digits without an exponent.
    static func plain(_ value: Double) -> String { FloatText.plain(value) }

    /// `%f`: six digits after the point.
    static func fixed(_ value: Double) -> String { formatted("%.6f", value) }

    /// `%.2g`.
    static func twoDigits(_ value: Double) -> String { formatted("%.2g", value) }

    private static func formatted(_ format: String, _ value: Double) -> String {
        guard value.isFinite else { return FloatText.general(value) }
        var buffer = [CChar](repeating: 0, count: 400)
        let length = unsafe withVaList([value]) { unsafe vsnprintf(&buffer, buffer.count, format, $0) }
        return String(decoding: buffer.prefix(max(0, Int(length))).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// A number as OpenMetrics writes it: integers with a fraction of zero.
    static func openMetrics(_ value: Double) -> String {
        let text = FloatText.general(value)
        return !value.isFinite || text.utf8.contains(where: { $0 == 0x2e || $0 == 0x65 }) ? text : text + ".0"
    }

    /// The number that Go's `ParseFloat` reads from `text`; `nil` for anything else.
    static func parse(_ text: String) -> Double? {
        guard let first = text.utf8.first, first > 0x20 else { return nil }
        return Double(text)
    }

    /// RFC 3339 in UTC, whole seconds.
    static func time(_ milliseconds: Int64) -> String {
        let seconds = milliseconds.dividedRoundingDown(by: 1000)
        let day = seconds.dividedRoundingDown(by: 86_400)
        let date = CivilDate(day: day)
        let second = seconds &- day &* 86_400
        func padded(_ number: Int64, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        let clock = [second / 3600, second / 60 % 60, second % 60].map { padded($0, 2) }.joined(separator: ":")
        return "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2))T\(clock)Z"
    }
}
