internal import MetricModel
internal import Runtime

/// Parses dates with Go's layouts.
enum TemplateDate {
    /// Why a text does not match the layout.
    struct Fault: Error, Equatable {
        var message: String
    }

    private static let months = [
        "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
        "december",
    ]
    private static let weekdays = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
    /// The parts of layouts. A longer part comes before its own prefixes.
    private static let parts = [
        "2006", "January", "Jan", "Monday", "Mon", "MST", "Z07:00", "Z0700", "-07:00", "-0700", "-07", "01", "02", "03",
        "04", "05", "06", "15", "PM", "pm", "_2", "1", "2", "3", "4", "5",
    ]

    private struct Fields {
        var year: Int64 = 0
        var month: Int64 = 1
        var day: Int64 = 1
        var hour: Int64 = 0
        var minute: Int64 = 0
        var second: Int64 = 0
        var millisecond: Int64 = 0
        var offset: Int64 = 0
        var isAfternoon: Bool?
    }

    /// The time in `text` according to `layout`, in UTC if it has no zone.
    static func parse(_ text: String, layout: String) throws(Fault) -> TemplateTime {
        var fields = Fields()
        var rest = text[...]
        var pattern = layout[...]
        while !pattern.isEmpty {
            guard let part = parts.first(where: { pattern.hasPrefix($0) }) else {
                let wanted = pattern.removeFirst()
                guard rest.first == wanted else { throw fault(text, layout, rest, String(wanted)) }
                rest.removeFirst()
                continue
            }
            let before = rest
            guard read(part, &rest, &fields) else { throw fault(text, layout, before, part) }
            pattern = pattern.dropFirst(part.count)
            if part == "05" || part == "5" { readFraction(&rest, &fields) }
        }
        guard rest.isEmpty else {
            throw Fault(
                message: "parsing time \(GoLiteral.quoted(text)): extra text: \(GoLiteral.quoted(String(rest)))")
        }
        return try time(fields, text)
    }

    private static func time(_ fields: Fields, _ text: String) throws(Fault) -> TemplateTime {
        var hour = fields.hour
        if let isAfternoon = fields.isAfternoon { hour = hour % 12 + (isAfternoon ? 12 : 0) }
        func outOfRange(_ what: String) -> Fault {
            Fault(message: "parsing time \(GoLiteral.quoted(text)): \(what) out of range")
        }
        guard (1...12).contains(fields.month) else { throw outOfRange("month") }
        guard fields.day >= 1, fields.day <= RFC3339.daysIn(month: fields.month, year: fields.year) else {
            throw outOfRange("day")
        }
        guard hour < 24 else { throw outOfRange("hour") }
        guard fields.minute < 60 else { throw outOfRange("minute") }
        guard fields.second < 60 else { throw outOfRange("second") }
        let days = RFC3339.daysSinceEpoch(year: fields.year, month: fields.month, day: fields.day)
        let seconds = days * 86_400 + hour * 3600 + fields.minute * 60 + fields.second - fields.offset
        return TemplateTime(Timestamp(milliseconds: seconds * 1000 + fields.millisecond))
    }

    private static func fault(_ text: String, _ layout: String, _ rest: Substring, _ part: String) -> Fault {
        Fault(
            message: "parsing time \(GoLiteral.quoted(text)) as \(GoLiteral.quoted(layout)): cannot parse "
                + "\(GoLiteral.quoted(String(rest))) as \(GoLiteral.quoted(part))")
    }

    private static func read(_ part: String, _ rest: inout Substring, _ fields: inout Fields) -> Bool {
        switch part {
        case "2006": return number(&rest, 4...4) { fields.year = $0 }
        case "06": return number(&rest, 2...2) { fields.year = $0 + ($0 >= 69 ? 1900 : 2000) }
        case "January", "Jan": return name(&rest, months, short: part == "Jan") { fields.month = $0 + 1 }
        case "Monday", "Mon": return name(&rest, weekdays, short: part == "Mon") { _ in }
        case "01": return number(&rest, 2...2) { fields.month = $0 }
        case "1": return number(&rest, 1...2) { fields.month = $0 }
        case "02": return number(&rest, 2...2) { fields.day = $0 }
        case "2": return number(&rest, 1...2) { fields.day = $0 }
        case "_2":
            if rest.first == " " { rest.removeFirst() }
            return number(&rest, 1...2) { fields.day = $0 }
        case "15": return number(&rest, 2...2) { fields.hour = $0 }
        case "03": return number(&rest, 2...2) { fields.hour = $0 }
        case "3": return number(&rest, 1...2) { fields.hour = $0 }
        case "04": return number(&rest, 2...2) { fields.minute = $0 }
        case "4": return number(&rest, 1...2) { fields.minute = $0 }
        case "05": return number(&rest, 2...2) { fields.second = $0 }
        case "5": return number(&rest, 1...2) { fields.second = $0 }
        case "PM", "pm":
            let half = rest.prefix(2).lowercased()
            guard half == "am" || half == "pm" else { return false }
            fields.isAfternoon = half == "pm"
            rest = rest.dropFirst(2)
            return true
        case "MST":
            let letters = rest.prefix { $0.isASCII && $0.isLetter }
            guard letters.count >= 3 else { return false }
            rest = rest.dropFirst(letters.count)
            return true
        default: return zone(part, &rest, &fields)
        }
    }

    private static func zone(_ part: String, _ rest: inout Substring, _ fields: inout Fields) -> Bool {
        if part.hasPrefix("Z"), rest.first == "Z" {
            rest.removeFirst()
            return true
        }
        guard let sign = rest.first, sign == "+" || sign == "-" else { return false }
        rest.removeFirst()
        var (hours, minutes): (Int64, Int64) = (0, 0)
        guard number(&rest, 2...2, { hours = $0 }) else { return false }
        if part.contains(":") {
            guard rest.first == ":" else { return false }
            rest.removeFirst()
        }
        if part != "-07" { guard number(&rest, 2...2, { minutes = $0 }) else { return false } }
        fields.offset = (hours * 3600 + minutes * 60) * (sign == "-" ? -1 : 1)
        return true
    }

    private static func number(_ rest: inout Substring, _ digits: ClosedRange<Int>, _ use: (Int64) -> Void) -> Bool {
        let found = rest.prefix(digits.upperBound).prefix { $0.isASCII && $0.isNumber }
        guard digits.contains(found.count), let value = Int64(found) else { return false }
        rest = rest.dropFirst(found.count)
        use(value)
        return true
    }

    private static func name(
        _ rest: inout Substring, _ names: [String], short: Bool, _ use: (Int64) -> Void
    ) -> Bool {
        let lower = rest.lowercased()
        for (index, name) in names.enumerated() {
            let wanted = short ? String(name.prefix(3)) : name
            if lower.hasPrefix(wanted) {
                rest = rest.dropFirst(wanted.count)
                use(Int64(index))
                return true
            }
        }
        return false
    }

    /// A fraction may follow the seconds even if the layout has none.
    private static func readFraction(_ rest: inout Substring, _ fields: inout Fields) {
        guard rest.first == "." || rest.first == ",", let next = rest.dropFirst().first, next.isASCII, next.isNumber
        else {
            return
        }
        let digits = rest.dropFirst().prefix { $0.isASCII && $0.isNumber }
        rest = rest.dropFirst(1 + digits.count)
        let padded = (digits.prefix(3) + "000").prefix(3)
        fields.millisecond = Int64(padded) ?? 0
    }
}
