internal import Glibc
internal import Synchronization

/// The `Date` header of responses, formatted once a second.
enum HTTPDate {
    private static let last = Mutex<(second: Int, text: [UInt8])>((-1, []))

    static func now() -> [UInt8] {
        let second = time(nil)
        return last.withLock { last in
            if last.second != second { last = (second, text(second)) }
            return last.text
        }
    }

    /// `seconds` since 1970 as a date of RFC 9110.
    static func text(_ seconds: Int) -> [UInt8] {
        var seconds = seconds
        var parts = unsafe tm()
        guard unsafe gmtime_r(&seconds, &parts) != nil else { return Array("Thu, 01 Jan 1970 00:00:00 GMT".utf8) }
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let day = unsafe "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)])"
        let time = unsafe "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
        return unsafe Array("\(day) \(Int(parts.tm_year) + 1900) \(time) GMT".utf8)
    }

    private static func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
