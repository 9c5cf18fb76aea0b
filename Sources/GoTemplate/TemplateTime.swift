public import MetricModel
internal import Runtime

/// A time in a template, as `toTime` returns it. Like Go's `time.Time`, it is printed in a time zone, usually UTC.
public struct TemplateTime: TemplateObject, Equatable {
    /// Go's zero time, the start of the year 1.
    public static let zero = TemplateTime(Timestamp(milliseconds: -62_135_596_800_000))

    /// The time.
    public var timestamp: Timestamp
    /// The zone in which it is printed.
    var zone = TimeZone.utc

    /// The time `timestamp`.
    public init(_ timestamp: Timestamp) {
        self.timestamp = timestamp
    }

    /// The same time, printed in `zone`.
    func inZone(_ zone: TimeZone) -> TemplateTime {
        var time = self
        time.zone = zone
        return time
    }

    /// RFC 3339.
    public var json: String { "\"\(Fields(self).formatted("2006-01-02T15:04:05.999Z07:00"))\"" }

    /// The time formatted by the Go layout `layout`.
    func formatted(_ layout: String) -> String { Fields(self).formatted(layout) }

    /// The type's name in Go.
    public var typeName: String { "*time.Time" }

    /// `2015-01-01 00:00:00.5 +0000 UTC`.
    public var text: String { Fields(self).formatted("2006-01-02 15:04:05.999 -0700 MST") }

    /// Its fields and methods.
    public func member(_ name: String, _ arguments: [TemplateValue]) throws(TemplateFailure) -> TemplateValue? {
        let fields = Fields(self)
        if name == "Format" {
            guard arguments.count == 1 else {
                throw TemplateFailure("wrong number of args for Format: want 1 got \(arguments.count)")
            }
            return .string(fields.formatted(try arguments[0].asText()))
        }
        if name == "Sub" || name == "Before" || name == "After" || name == "Equal" {
            guard arguments.count == 1, case .object(let other as TemplateTime) = arguments[0] else {
                throw TemplateFailure(
                    "wrong type for value; expected time.Time; got \(arguments.first?.typeName ?? "nothing")")
            }
            let distance = timestamp.milliseconds - other.timestamp.milliseconds
            switch name {
            case "Sub": return .object(TemplateDuration(seconds: Double(distance) / 1000))
            case "Before": return .bool(distance < 0)
            case "After": return .bool(distance > 0)
            default: return .bool(distance == 0)
            }
        }
        guard arguments.isEmpty else {
            throw TemplateFailure("wrong number of args for \(name): want 0 got \(arguments.count)")
        }
        switch name {
        case "String": return .string(text)
        case "UTC": return .object(inZone(.utc))
        case "Local": return .object(self)
        case "IsZero": return .bool(self.timestamp == TemplateTime.zero.timestamp)
        case "Unix": return .integer(fields.seconds)
        case "UnixMilli": return .integer(timestamp.milliseconds)
        case "Year": return .integer(fields.year)
        case "Month": return .string(Fields.months[Int(fields.month) - 1])
        case "Day": return .integer(fields.day)
        case "Weekday": return .string(Fields.weekdays[fields.weekday])
        case "Hour": return .integer(fields.hour)
        case "Minute": return .integer(fields.minute)
        case "Second": return .integer(fields.second)
        default: return nil
        }
    }

    /// The parts of a date in UTC.
    private struct Fields {
        static let months = [
            "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
            "November", "December",
        ]
        static let weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

        let seconds: Int64
        let year: Int64
        let month: Int64
        let day: Int64
        let weekday: Int
        let hour: Int64
        let minute: Int64
        let second: Int64
        let millisecond: Int64
        /// Seconds east of Greenwich.
        let offset: Int64
        let zoneName: String

        init(_ time: TemplateTime) {
            let milliseconds = time.timestamp.milliseconds
            seconds = (milliseconds - Self.modulo(milliseconds, 1000)) / 1000
            offset = time.zone.offset(at: seconds)
            zoneName = time.zone == .utc ? "UTC" : Self.numericZone(offset, colon: false, short: true)
            let local = seconds + offset
            let clock = Self.modulo(local, 86_400)
            let days = (local - clock) / 86_400
            (year, month, day) = RFC3339.date(daysSinceEpoch: days)
            weekday = Int(Self.modulo(days + 4, 7))
            (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60)
            millisecond = Self.modulo(milliseconds, 1000)
        }

        private static func modulo(_ value: Int64, _ divisor: Int64) -> Int64 {
            let rest = value % divisor
            return rest < 0 ? rest + divisor : rest
        }

        /// An offset as `+0200`. If `short` is true, whole hours are printed without minutes.
        private static func numericZone(_ offset: Int64, colon: Bool, short: Bool = false) -> String {
            let minutes = abs(offset) / 60
            let sign = offset < 0 ? "-" : "+"
            if short, minutes % 60 == 0 { return sign + two(minutes / 60) }
            return sign + two(minutes / 60) + (colon ? ":" : "") + two(minutes % 60)
        }

        /// Formats with Go's reference date, `Mon Jan 2 15:04:05 MST 2006`.
        func formatted(_ layout: String) -> String {
            var result = ""
            var rest = layout[...]
            while !rest.isEmpty {
                guard let (pattern, text) = parts.first(where: { rest.hasPrefix($0.0) }) else {
                    result.append(rest.removeFirst())
                    continue
                }
                result += text
                rest = rest.dropFirst(pattern.count)
            }
            return result
        }

        /// The value of each part of a layout. A longer part comes before its own prefixes.
        private var parts: [(String, String)] {
            let fraction = Self.three(millisecond)
            var trimmed = fraction
            while trimmed.hasSuffix("0") { trimmed.removeLast() }
            let optional = trimmed.isEmpty ? "" : "." + trimmed
            let half = hour % 12 == 0 ? 12 : hour % 12
            return [
                ("2006", Self.four(year)), ("January", Self.months[Int(month) - 1]),
                ("Jan", String(Self.months[Int(month) - 1].prefix(3))), ("Monday", Self.weekdays[weekday]),
                ("Mon", String(Self.weekdays[weekday].prefix(3))), ("MST", zoneName),
                (".000000000", "." + fraction + "000000"), (".000000", "." + fraction + "000"),
                (".000", "." + fraction),
                (".999999999", optional), (".999999", optional), (".999", optional),
                ("Z07:00", offset == 0 ? "Z" : Self.numericZone(offset, colon: true)),
                ("Z0700", offset == 0 ? "Z" : Self.numericZone(offset, colon: false)),
                ("-07:00", Self.numericZone(offset, colon: true)), ("-0700", Self.numericZone(offset, colon: false)),
                ("-07", String(Self.numericZone(offset, colon: false).prefix(3))), ("01", Self.two(month)),
                ("02", Self.two(day)), ("03", Self.two(half)), ("04", Self.two(minute)), ("05", Self.two(second)),
                ("06", Self.two(year % 100)), ("15", Self.two(hour)), ("PM", hour < 12 ? "AM" : "PM"),
                ("pm", hour < 12 ? "am" : "pm"), ("_2", day < 10 ? " \(day)" : String(day)), ("1", String(month)),
                ("2", String(day)), ("3", String(half)), ("4", String(minute)), ("5", String(second)),
            ]
        }

        private static func three(_ number: Int64) -> String {
            String(repeating: "0", count: max(0, 3 - String(number).count)) + String(number)
        }
        private static func four(_ number: Int64) -> String {
            String(repeating: "0", count: max(0, 4 - String(number).count)) + String(number)
        }
        private static func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : String(number) }
    }
}

/// A duration in a template, as `toDuration` returns it.
struct TemplateDuration: TemplateObject, Equatable {
    var seconds: Double

    var typeName: String { "*time.Duration" }

    /// `1h2m3.5s`, as Go's `time.Duration` is printed.
    var text: String {
        let nanoseconds = Int64(clamping: seconds * 1e9)
        let size = nanoseconds.magnitude
        let sign = nanoseconds < 0 ? "-" : ""
        if size == 0 { return "0s" }
        for (unit, length) in [("ns", 1), ("µs", 1000), ("ms", 1_000_000)] as [(String, UInt64)]
        where size < length * 1000 {
            return sign + FloatText.plain(Double(size) / Double(length)) + unit
        }
        let hours = size / 3_600_000_000_000
        let minutes = size / 60_000_000_000 % 60
        let rest = FloatText.plain(Double(size % 60_000_000_000) / 1e9)
        return sign + (hours > 0 ? "\(hours)h" : "") + (hours > 0 || minutes > 0 ? "\(minutes)m" : "") + rest + "s"
    }

    var json: String { String(Int64(clamping: seconds * 1e9)) }

    func member(_ name: String, _ arguments: [TemplateValue]) throws(TemplateFailure) -> TemplateValue? {
        switch name {
        case "Seconds": .float(seconds)
        case "Minutes": .float(seconds / 60)
        case "Hours": .float(seconds / 3600)
        case "String": .string(text)
        default: nil
        }
    }
}
