/// A duration in whole milliseconds, written in Prometheus's notation (`1h30m`).
public struct Milliseconds: Hashable, Comparable, Sendable, RawRepresentable, AdditiveArithmetic {
    /// The duration in milliseconds; may be negative.
    public var rawValue: Int64

    /// A duration of `rawValue` milliseconds.
    public init(rawValue: Int64) {
        self.rawValue = rawValue
    }

    /// Zero milliseconds.
    public static let zero = Milliseconds(rawValue: 0)
    /// `count` milliseconds.
    public static func milliseconds(_ count: Int64) -> Milliseconds { Milliseconds(rawValue: count) }
    /// `count` seconds.
    public static func seconds(_ count: Int64) -> Milliseconds { Milliseconds(rawValue: count * 1000) }
    /// `count` minutes.
    public static func minutes(_ count: Int64) -> Milliseconds { Milliseconds(rawValue: count * 60_000) }
    /// `count` hours.
    public static func hours(_ count: Int64) -> Milliseconds { Milliseconds(rawValue: count * 3_600_000) }

    /// The duration in seconds.
    public var seconds: Double { Double(rawValue) / 1000 }

    /// Whether `left` is shorter.
    public static func < (left: Milliseconds, right: Milliseconds) -> Bool { left.rawValue < right.rawValue }
    /// The sum.
    public static func + (left: Milliseconds, right: Milliseconds) -> Milliseconds {
        Milliseconds(rawValue: left.rawValue &+ right.rawValue)
    }
    /// The difference.
    public static func - (left: Milliseconds, right: Milliseconds) -> Milliseconds {
        Milliseconds(rawValue: left.rawValue &- right.rawValue)
    }
    /// The duration multiplied by `factor`.
    public static func * (left: Milliseconds, factor: Int64) -> Milliseconds {
        Milliseconds(rawValue: left.rawValue &* factor)
    }
}

extension Milliseconds: CustomStringConvertible {
    private static let units: [(name: String, length: Int64, exactOnly: Bool)] = [
        ("y", 365 * 86_400_000, true), ("w", 7 * 86_400_000, true), ("d", 86_400_000, false),
        ("h", 3_600_000, false), ("m", 60_000, false), ("s", 1000, false), ("ms", 1, false),
    ]

    /// Reads `1h30m`, `15s`, `250ms` or `0`: units from large to small, each at most once.
    ///
    /// - Returns: `nil` if the text is not such a duration, or is longer than the 292 years that fit in 64 bits of
    ///   nanoseconds.
    public init?(parsing text: some StringProtocol) {
        guard case .success(let duration) = Self.read(text) else { return nil }
        self = duration
    }

    /// Reads the same format as ``init(parsing:)``. The error has Prometheus's text.
    public init(reading text: some StringProtocol) throws(DurationFault) {
        self = try Self.read(text).get()
    }

    private static func read(_ text: some StringProtocol) -> Result<Milliseconds, DurationFault> {
        if text == "0" { return .success(.zero) }
        if text.isEmpty { return .failure(.empty) }
        let isDigit = { (byte: UInt8) in byte >= 0x30 && byte <= 0x39 }
        var total: Int64 = 0
        var nextUnit = 0
        var rest = text.utf8[...]
        while !rest.isEmpty {
            let digits = rest.prefix(while: isDigit)
            let name = rest.dropFirst(digits.count).prefix { !isDigit($0) }
            rest = rest.dropFirst(digits.count + name.count)
            guard let count = UInt64(String(decoding: digits, as: UTF8.self)), !name.isEmpty else {
                return .failure(.malformed(String(text)))
            }
            let wanted = String(decoding: name, as: UTF8.self)
            guard let unit = units.firstIndex(where: { $0.name == wanted }) else {
                return .failure(.unknownUnit(wanted, in: String(text)))
            }
            guard unit >= nextUnit else { return .failure(.malformed(String(text))) }
            let (length, overflow) = Int64(clamping: count).multipliedReportingOverflow(by: units[unit].length)
            let (sum, overflowed) = total.addingReportingOverflow(length)
            if overflow || overflowed || sum > Int64.max / 1_000_000 { return .failure(.outOfRange) }
            total = sum
            nextUnit = unit + 1
        }
        return .success(Milliseconds(rawValue: total))
    }

    /// The canonical notation: `1h30m`, `0s`, `-5m`. Years and weeks are used only if they divide evenly.
    public var description: String {
        if rawValue == 0 { return "0s" }
        var rest = rawValue.magnitude
        var text = rawValue < 0 ? "-" : ""
        for unit in Self.units {
            let length = UInt64(unit.length)
            if unit.exactOnly && rest % length != 0 { continue }
            let count = rest / length
            if count > 0 {
                text += "\(count)\(unit.name)"
                rest -= count * length
            }
        }
        return text
    }
}

/// Why a text is not a duration.
public enum DurationFault: Error, Equatable, Sendable, CustomStringConvertible {
    case empty
    case malformed(String)
    case unknownUnit(String, in: String)
    case outOfRange

    /// Prometheus's text.
    public var description: String {
        switch self {
        case .empty: "empty duration string"
        case .malformed(let text): "not a valid duration string: \(MetricText.quoted(text))"
        case .unknownUnit(let unit, let text):
            "unknown unit \(MetricText.quoted(unit)) in duration \(MetricText.quoted(text))"
        case .outOfRange: "duration out of range"
        }
    }
}
