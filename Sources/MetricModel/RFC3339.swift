/// Dates in RFC 3339 format; written in UTC.
public enum RFC3339 {
    /// `2026-11-21T02:22:39.120Z`; without the fraction if it is zero.
    public static func text(milliseconds: Int64) -> String {
        let (seconds, fraction) = milliseconds.quotientAndRemainder(floorBy: 1000)
        return text(seconds, fraction: fraction, digits: 3, isTrimmed: fraction == 0)
    }

    /// `2026-11-21T02:22:39.12Z`: the fraction as Go prints it, without trailing zeros.
    public static func trimmedText(milliseconds: Int64) -> String {
        let (seconds, fraction) = milliseconds.quotientAndRemainder(floorBy: 1000)
        return text(seconds, fraction: fraction, digits: 3, isTrimmed: true)
    }

    /// With a fraction of up to nine digits, without trailing zeros.
    public static func text(nanoseconds: Int64) -> String {
        let (seconds, fraction) = nanoseconds.quotientAndRemainder(floorBy: 1_000_000_000)
        return text(seconds, fraction: fraction, digits: 9, isTrimmed: true)
    }

    /// Reads a date with an optional fraction and a zone (`Z`, `+02:00`). Returns milliseconds since the epoch, or
    /// `nil`.
    public static func milliseconds(parsing text: some StringProtocol) -> Int64? {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int64? {
            guard range.upperBound <= bytes.count else { return nil }
            var value: Int64 = 0
            for byte in bytes[range] {
                guard byte >= 0x30, byte <= 0x39 else { return nil }
                value = value * 10 + Int64(byte - 0x30)
            }
            return value
        }
        guard bytes.count >= 20, bytes[4] == 0x2d, bytes[7] == 0x2d, bytes[10] | 0x20 == 0x74, bytes[13] == 0x3a,
            bytes[16] == 0x3a, let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
            let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
            (1...12).contains(month), (1...daysIn(month: month, year: year)).contains(day), hour < 24, minute < 60,
            second <= 60
        else { return nil }
        var index = 19
        var fraction: Int64 = 0
        if bytes[index] == 0x2e {
            index += 1
            var scale: Int64 = 100
            let start = index
            while index < bytes.count, bytes[index] >= 0x30, bytes[index] <= 0x39 {
                fraction += Int64(bytes[index] - 0x30) * scale
                scale /= 10
                index += 1
            }
            if index == start { return nil }
        }
        guard index < bytes.count else { return nil }
        var offset: Int64 = 0
        if bytes[index] | 0x20 == 0x7a {
            guard index + 1 == bytes.count else { return nil }
        } else {
            guard bytes[index] == 0x2b || bytes[index] == 0x2d, index + 6 == bytes.count, bytes[index + 3] == 0x3a,
                let hours = number(index + 1..<index + 3), let minutes = number(index + 4..<index + 6), hours < 24,
                minutes < 60
            else { return nil }
            offset = (hours * 3600 + minutes * 60) * (bytes[index] == 0x2b ? 1 : -1)
        }
        let days = daysSinceEpoch(year: year, month: month, day: day)
        return (days * 86_400 + hour * 3600 + minute * 60 + second - offset) * 1000 + fraction
    }

    /// The time `seconds` after 1970 and `fraction`, which is a number of `digits` digits. Trimmed, the fraction has no
    /// trailing zeros, and is absent if it is zero.
    private static func text(_ seconds: Int64, fraction: Int64, digits: Int, isTrimmed: Bool) -> String {
        let (days, rest) = seconds.quotientAndRemainder(floorBy: 86_400)
        let (year, month, day) = date(daysSinceEpoch: days)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        func append(_ number: Int64, width: Int, after separator: Unicode.Scalar? = nil) {
            if let separator { bytes.append(UInt8(ascii: separator)) }
            let start = bytes.count
            var rest = number.magnitude
            while rest > 0 || bytes.count < start + width {
                bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
                rest /= 10
            }
            if number < 0 { bytes.append(UInt8(ascii: "-")) }
            bytes[start...].reverse()
        }
        append(year, width: 4)
        append(month, width: 2, after: "-")
        append(day, width: 2, after: "-")
        append(rest / 3600, width: 2, after: "T")
        append(rest / 60 % 60, width: 2, after: ":")
        append(rest % 60, width: 2, after: ":")
        if !isTrimmed || fraction != 0 {
            append(fraction, width: digits, after: ".")
            while isTrimmed, bytes.last == UInt8(ascii: "0") { bytes.removeLast() }
        }
        bytes.append(UInt8(ascii: "Z"))
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Days from 1970-01-01 to a date of the proleptic Gregorian calendar. Counts months from March.
    public static func daysSinceEpoch(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// The date `daysSinceEpoch` days after 1970-01-01.
    public static func date(daysSinceEpoch days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = (days + 719_468).quotientAndRemainder(floorBy: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }

    /// Length of a month, 1...12.
    public static func daysIn(month: Int64, year: Int64) -> Int64 {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }
}

extension Int64 {
    /// Division that rounds down, so that the remainder is never negative.
    fileprivate func quotientAndRemainder(floorBy divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
