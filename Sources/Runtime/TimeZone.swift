internal import MetricModel

/// The UTC offsets of a place, from the system's time zone database.
///
/// A value, read once from its TZif file (RFC 8536). May be used from any thread. `localtime_r` of the C library
/// supports one zone per process, and changing it races with other threads.
public struct TimeZone: Equatable, Sendable {
    /// The times at which the offset changed, in seconds since the epoch, ascending.
    private let changes: [Int64]
    /// The offset from each of `changes` on.
    private let offsets: [Int64]
    /// The offset before the first change.
    private let initial: Int64
    /// The rule for the time after the last change.
    private let rule: TimeZoneRule?
    /// The name in the database, such as `Europe/Berlin`.
    public let name: String

    /// Coordinated Universal Time.
    public static let utc = TimeZone(name: "UTC")

    /// A zone with the yearly changes of `posix`, such as `CET-1CEST,M3.5.0,M10.5.0/3`; `nil` if that is malformed.
    public init?(name: String, posix: String) {
        guard let rule = TimeZoneRule(parsing: posix) else { return nil }
        self.init(name: name, rule: rule)
    }

    private init(name: String, rule: TimeZoneRule? = nil) {
        self.name = name
        changes = []
        offsets = []
        initial = 0
        self.rule = rule
    }

    /// Reads the zone `name` from the system's database. `UTC` needs no file; `Local` is the zone of this machine.
    ///
    /// - Parameters:
    ///   - name: a name in the database. A name that leads outside it is rejected.
    ///   - database: the directory of the database.
    ///   - local: the file of this machine's zone. If it cannot be read, the zone is UTC.
    public static func load(
        _ name: String, database: String = "/usr/share/zoneinfo", local: String = "/etc/localtime"
    ) throws(TimeZoneError) -> TimeZone {
        if name.isEmpty || name == "UTC" { return utc }
        let isLocal = name == "Local"
        let isInside = !name.hasPrefix("/") && name.split(separator: "/").allSatisfy { $0 != ".." && $0 != "." }
        guard isInside, !name.utf8.contains(0), !name.contains("\\") else {
            throw TimeZoneError(zone: name, reason: "not the name of a time zone")
        }
        let bytes: [UInt8]
        do throws(FileText.ReadError) {
            bytes = try FileText.bytes(isLocal ? local : "\(database)/\(name)", limit: 1 << 20)
        } catch {
            if isLocal { return utc }
            throw TimeZoneError(zone: name, reason: "not in the time zone database: \(error.description)")
        }
        return try TimeZone(name: name, file: bytes)
    }

    /// Reads the bytes of a TZif file of any version.
    public init(name: String, file bytes: [UInt8]) throws(TimeZoneError) {
        func damaged(_ reason: String) -> TimeZoneError {
            TimeZoneError(zone: name, reason: "not a time zone file: \(reason)")
        }
        guard var block = TimeZoneBlock(bytes, at: 0, wordSize: 4) else { throw damaged("the header is damaged") }
        var footer: ArraySlice<UInt8> = []
        // From version 2 on, the same data follow as 64-bit words, then a rule for later times.
        if block.version >= UInt8(ascii: "2") {
            guard let wide = TimeZoneBlock(bytes, at: block.end, wordSize: 8) else {
                throw damaged("the second header is damaged")
            }
            block = wide
            guard bytes.count > block.end, bytes[block.end] == UInt8(ascii: "\n"),
                let end = bytes[(block.end + 1)...].firstIndex(of: UInt8(ascii: "\n"))
            else { throw damaged("the rule at its end is missing") }
            footer = bytes[(block.end + 1)..<end]
        }
        guard let content = block.content(of: bytes) else { throw damaged("an entry is out of range") }
        self.name = name
        (changes, offsets, initial) = content
        if footer.isEmpty {
            rule = nil
        } else {
            let text = String(decoding: footer, as: UTF8.self)
            guard let rule = TimeZoneRule(parsing: text) else { throw damaged("the rule \"\(text)\" is damaged") }
            self.rule = rule
        }
    }

    /// The offset of local time from UTC at `seconds` since the epoch, in seconds.
    public func offset(at seconds: Int64) -> Int64 {
        guard let last = changes.last else { return rule?.offset(at: seconds) ?? initial }
        if seconds >= last { return rule?.offset(at: seconds) ?? offsets[offsets.count - 1] }
        var low = 0
        var high = changes.count
        while low < high {
            let middle = (low + high) / 2
            if changes[middle] <= seconds { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? initial : offsets[low - 1]
    }

    /// The time in seconds since the epoch at which local clocks show `local`, as seconds since 1970-01-01 local time.
    ///
    /// The first one where clocks show it twice. A local time that a change of clocks skips counts with the offset
    /// before the change.
    public func seconds(ofLocal local: Int64) -> Int64 {
        // No zone changes its offset twice within two days, and no offset is longer than a day.
        let before = offset(at: local &- 86_400)
        let after = offset(at: local &+ 86_400)
        for candidate in [before, after] where offset(at: local &- candidate) == candidate { return local &- candidate }
        return local &- before
    }

    /// The local date and time at `milliseconds` since the epoch.
    public func civil(atMilliseconds milliseconds: Int64) -> CivilTime {
        let seconds = milliseconds.flooredDivision(by: 1000)
        return CivilTime(localSeconds: seconds + offset(at: seconds))
    }
}

/// A local date and time.
public struct CivilTime: Equatable, Sendable {
    /// The year of the Gregorian calendar.
    public var year: Int
    /// 1...12.
    public var month: Int
    /// Day of the month from 1.
    public var day: Int
    /// 0 for Sunday to 6 for Saturday.
    public var weekday: Int
    /// Minutes since midnight, local time.
    public var minuteOfDay: Int

    init(localSeconds: Int64) {
        let days = localSeconds.flooredDivision(by: 86_400)
        let date = RFC3339.date(daysSinceEpoch: days)
        year = Int(date.year)
        month = Int(date.month)
        day = Int(date.day)
        // 1970-01-01 was a Thursday.
        weekday = Int((days + 4) - (days + 4).flooredDivision(by: 7) * 7)
        minuteOfDay = Int((localSeconds - days * 86_400) / 60)
    }

    /// Length of the month in days.
    public var daysInMonth: Int { Int(RFC3339.daysIn(month: Int64(month), year: Int64(year))) }
}

/// Why a time zone cannot be read.
public struct TimeZoneError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The requested zone.
    public let zone: String
    /// The error.
    public let reason: String

    /// The zone and the reason.
    public var description: String { "time zone \"\(zone)\": \(reason)" }
}

/// The position of one of the data blocks of a TZif file.
///
/// ```
/// "TZif" version  15 unused bytes  isutcnt isstdcnt leapcnt timecnt typecnt charcnt   (44 bytes, counts of 32 bits)
/// timecnt × time | timecnt × type index (1) | typecnt × (offset 4, isdst 1, name 1) | charcnt | leapcnt × (time + 4)
/// | isstdcnt | isutcnt
/// ```
private struct TimeZoneBlock {
    static let headerSize = 44
    /// More than any zone has. Prevents overflow of sums.
    static let most = 100_000

    let version: UInt8
    let start: Int
    let end: Int
    let wordSize: Int
    let times: Int
    let types: Int

    init?(_ bytes: [UInt8], at offset: Int, wordSize: Int) {
        guard offset + Self.headerSize <= bytes.count, bytes[offset..<offset + 4].elementsEqual("TZif".utf8) else {
            return nil
        }
        let counts = (0..<6).map { Int(clamping: bytes.bigEndian(at: offset + 20 + 4 * $0, size: 4) & 0xffff_ffff) }
        guard counts.allSatisfy({ $0 <= Self.most }), counts[4] > 0 else { return nil }
        self.wordSize = wordSize
        version = bytes[offset + 4]
        (times, types) = (counts[3], counts[4])
        start = offset + Self.headerSize
        end =
            start + times * (wordSize + 1) + types * 6 + counts[5] + counts[2] * (wordSize + 4) + counts[1] + counts[0]
        guard end <= bytes.count else { return nil }
    }

    /// The changes, the offset after each of them, and the offset before the first; `nil` if an index is out of range
    /// or times do not increase.
    func content(of bytes: [UInt8]) -> (changes: [Int64], offsets: [Int64], initial: Int64)? {
        let indices = start + times * wordSize
        let offsets = (0..<types).map { bytes.bigEndian(at: indices + times + 6 * $0, size: 4) }
        let changes = (0..<times).map { bytes.bigEndian(at: start + wordSize * $0, size: wordSize) }
        let types = bytes[indices..<indices + times].map(Int.init)
        guard types.allSatisfy({ $0 < offsets.count }), zip(changes, changes.dropFirst()).allSatisfy({ $0 < $1 }),
            offsets.allSatisfy({ $0.magnitude < 26 * 3600 })
        else { return nil }
        return (changes, types.map { offsets[$0] }, offsets[0])
    }
}

extension [UInt8] {
    /// A signed number of `size` bytes, most significant first.
    fileprivate func bigEndian(at offset: Int, size: Int) -> Int64 {
        let bits = self[offset..<offset + size].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return size == 4 ? Int64(Int32(truncatingIfNeeded: bits)) : Int64(bitPattern: bits)
    }
}

extension Int64 {
    /// Division that rounds down.
    package func flooredDivision(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
