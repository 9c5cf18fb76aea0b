import MetricModel
import Runtime
import Testing

@Suite struct TimeZoneTests {
    /// Bytes of a file with 64-bit words: offsets in seconds, changes as (time, index of the offset), and a rule.
    private func file(
        offsets: [Int32], changes: [(Int64, UInt8)], rule: String = "", version: String = "2"
    ) -> [UInt8] {
        func big<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
            (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> (Number.bitWidth - 8 - 8 * $0)) }
        }
        func block(_ changes: [(Int64, UInt8)], _ offsets: [Int32], isWide: Bool) -> [UInt8] {
            var bytes = Array("TZif\(version)".utf8) + [UInt8](repeating: 0, count: 15)
            for count in [0, 0, 0, changes.count, offsets.count, 4] { bytes += big(Int32(count)) }
            for change in changes { bytes += isWide ? big(change.0) : big(Int32(change.0)) }
            bytes += changes.map(\.1)
            for offset in offsets { bytes += big(offset) + [0, 0] }
            return bytes + Array("XYZ\0".utf8)
        }
        if version == "\0" { return block(changes, offsets, isWide: false) }
        return block([], [0], isWide: false) + block(changes, offsets, isWide: true) + Array("\n\(rule)\n".utf8)
    }

    @Test func offsetsChangeAtTheirMoment() throws {
        let bytes = file(offsets: [600, 3600, 7200], changes: [(-5_000_000_000, 1), (1000, 2), (2000, 1)])
        let zone = try TimeZone(name: "X", file: bytes)
        #expect(
            [-5_000_000_001, -5_000_000_000, 999, 1000, 1999, 2000, 9_000_000_000].map { zone.offset(at: $0) }
                == [600, 3600, 3600, 7200, 7200, 3600, 3600])
    }

    @Test func theFirstVersionHasNarrowWordsAndNoRule() throws {
        let zone = try TimeZone(name: "X", file: file(offsets: [0, 3600], changes: [(1000, 1)], version: "\0"))
        #expect([999, 1000].map { zone.offset(at: $0) } == [0, 3600])
    }

    private static let rules: [(rule: String, moments: [Int64], minutes: [Int64])] = [
        (
            "CET-1CEST,M3.5.0,M10.5.0/3", [2_531_955_599, 2_531_955_600, 2_550_704_399, 2_550_704_400],
            [60, 120, 120, 60]
        ),
        (
            "EST5EDT,M3.2.0,M11.1.0", [2_530_767_599, 2_530_767_600, 2_551_327_199, 2_551_327_200],
            [-300, -240, -240, -300]
        ),
        (
            "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
            [2_532_524_399, 2_532_524_400, 2_548_250_999, 2_548_251_000], [660, 630, 630, 660]
        ),
        ("IST-1GMT0,M10.5.0,M3.5.0/1", [2_531_955_599, 2_531_955_600, 2_550_704_399, 2_550_704_400], [0, 60, 60, 0]),
        ("<+0530>-5:30", [2_531_955_599], [330]),
        ("XXX-2YYY,J60/0,J61/0", [2_529_698_399, 2_529_698_400, 2_529_781_199, 2_529_781_200], [120, 180, 180, 120]),
    ]

    /// Moments around the changes of 2050, which only the rule knows; those of real zones are from Python's zoneinfo.
    @Test(arguments: rules)
    func rulesGoOnAfterTheLastChange(rule: String, moments: [Int64], minutes: [Int64]) throws {
        let zone = try TimeZone(name: "X", file: file(offsets: [0], changes: [(0, 0)], rule: rule))
        #expect(moments.map { zone.offset(at: $0) / 60 } == minutes)
    }

    /// The days on which the clocks of the rule go forward, as days of the year from 0.
    @Test(
        arguments: [
            ("J59/0", 2023, 58), ("J60/0", 2023, 59), ("J60/0", 2024, 60), ("59/0", 2023, 59), ("59/0", 2024, 59),
            ("M2.5.4/0", 2024, 59), ("M2.5.4/0", 2023, 53), ("M2.1.1/-24", 2026, 31),
        ] as [(String, Int64, Int64)])
    func daysAreCountedInEachWay(begin: String, year: Int64, day: Int64) throws {
        let zone = try TimeZone(name: "X", file: file(offsets: [0], changes: [], rule: "AAA0BBB,\(begin),J300"))
        let newYear = RFC3339.daysSinceEpoch(year: year, month: 1, day: 1)
        #expect((0..<100).first { zone.offset(at: (newYear + $0) * 86_400) == 3600 } == day)
        #expect(zone.offset(at: (newYear + day) * 86_400 - 1) == 0)
    }

    @Test(arguments: [
        "", "A", "AB0", "AAA", "AAA25", "AAA0BBB", "AAA0BBB,M1.1.1", "AAA0BBB,M13.1.1,M1.1.1", "AAA0BBB,M1.6.1,M1.1.1",
        "AAA0BBB,J0,J1", "AAA0BBB,366,1", "AAA0BBB,1,2,3", "<AAA0", "AAA0BBB,1/168,2", "AAA0:60", "AAA-", "AAA1234",
    ])
    func damagedRulesAreRefused(rule: String) {
        let bytes = file(offsets: [0], changes: [], rule: rule)
        if rule.isEmpty {
            #expect(throws: Never.self) { try TimeZone(name: "X", file: bytes) }
        } else {
            let error = #expect(throws: TimeZoneError.self) { try TimeZone(name: "X", file: bytes) }
            #expect(error?.description == "time zone \"X\": not a time zone file: the rule \"\(rule)\" is damaged")
        }
    }

    @Test func whatIsCutShortOrDamagedNeverTraps() throws {
        let whole = file(offsets: [0, 3600], changes: [(1000, 1), (2000, 0)], rule: "AAA0")
        for count in 0..<whole.count {
            #expect(throws: TimeZoneError.self) { try TimeZone(name: "X", file: Array(whole.prefix(count))) }
        }
        for index in whole.indices {
            for value: UInt8 in [0, 1, 0x7f, 0x80, 0xff] {
                var damaged = whole
                damaged[index] = value
                do throws(TimeZoneError) {
                    let zone = try TimeZone(name: "X", file: damaged)
                    #expect(zone.offset(at: 1500).magnitude < 26 * 3600)
                } catch {
                    #expect(error.reason.hasPrefix("not a time zone file: "))
                }
            }
        }
        #expect(throws: TimeZoneError.self) {
            try TimeZone(name: "X", file: file(offsets: [0], changes: [(0, 1)]))
        }
        #expect(throws: TimeZoneError.self) {
            try TimeZone(name: "X", file: file(offsets: [0], changes: [(5, 0), (5, 0)]))
        }
    }

    @Test func theDatabaseOfTheSystemIsRead() throws {
        let berlin = try TimeZone.load("Europe/Berlin")
        // Summer time of 2026 lasts from March 29 to October 25, one o'clock UTC each.
        #expect(
            [1_774_745_999, 1_774_746_000, 1_792_889_999, 1_792_890_000].map { berlin.offset(at: $0) }
                == [3600, 7200, 7200, 3600])
        #expect(berlin.offset(at: -3_000_000_000) == 3208)
        #expect(try TimeZone.load("UTC").offset(at: 0) == 0)
        #expect(try TimeZone.load("Local", local: "/nonexistent").name == "UTC")
    }

    @Test(arguments: [
        "Europe/Atlantis", "../../etc/passwd", "/etc/passwd", "Europe", "Europe/../Europe/Berlin", "a\\b",
    ])
    func otherNamesAreRefused(name: String) {
        let error = #expect(throws: TimeZoneError.self) { try TimeZone.load(name) }
        #expect(error?.zone == name)
    }

    @Test func calendarsShowTheLocalDay() throws {
        let zone = try TimeZone(name: "X", file: file(offsets: [-3600], changes: []))
        let moment = try #require(RFC3339.milliseconds(parsing: "2024-03-01T00:30:59Z"))
        let civil = zone.civil(atMilliseconds: moment)
        #expect(
            [civil.year, civil.month, civil.day, civil.weekday, civil.minuteOfDay] == [2024, 2, 29, 4, 23 * 60 + 30])
        #expect(civil.daysInMonth == 29)
        #expect(TimeZone.utc.civil(atMilliseconds: -1).weekday == 3)
    }
}
