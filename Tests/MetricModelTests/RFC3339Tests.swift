import MetricModel
import Runtime
import Testing

@Suite struct RFC3339Tests {
    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2015-07-01T20:10:51.781Z", 1_435_781_451_781),
            ("2015-07-01T22:10:51.781+02:00", 1_435_781_451_781), ("1969-12-31T23:59:59.5Z", -500),
            ("2000-02-29T12:00:00-00:30", 951_827_400_000), ("9999-12-31T23:59:59Z", 253_402_300_799_000),
        ] as [(String, Int64)])
    func datesAreRead(text: String, milliseconds: Int64) {
        #expect(RFC3339.milliseconds(parsing: text) == milliseconds)
    }

    @Test(arguments: [
        "", "2015-07-01", "2015-13-01T00:00:00Z", "2015-02-29T00:00:00Z", "2015-07-01T24:00:00Z", "2015-07-01T20:10:51",
        "2015-07-01T20:10:51.Z", "2015-07-01T20:10:51+25:00", "2015-07-01T20:10:51Zx", "x015-07-01T20:10:51Z",
    ])
    func otherTextIsRefused(text: String) {
        #expect(RFC3339.milliseconds(parsing: text) == nil)
    }

    @Test func writtenDatesReadBack() {
        for milliseconds in stride(from: Int64(-5_000_000_000_000), to: 5_000_000_000_000, by: 37_123_456_789) {
            #expect(RFC3339.milliseconds(parsing: RFC3339.text(milliseconds: milliseconds)) == milliseconds)
        }
        #expect(RFC3339.text(nanoseconds: 1_435_781_451_781_000_100) == "2015-07-01T20:10:51.7810001Z")
        #expect(RFC3339.text(milliseconds: -1) == "1969-12-31T23:59:59.999Z")
        #expect(RFC3339.text(milliseconds: 1_100) == "1970-01-01T00:00:01.100Z")
        #expect(RFC3339.text(milliseconds: 1_000) == "1970-01-01T00:00:01Z")
        #expect(RFC3339.trimmedText(milliseconds: 1_100) == "1970-01-01T00:00:01.1Z")
        #expect(RFC3339.trimmedText(milliseconds: 10_005) == "1970-01-01T00:00:10.005Z")
        #expect(RFC3339.trimmedText(milliseconds: -62_135_596_800_000) == "0001-01-01T00:00:00Z")
        #expect(RFC3339.text(nanoseconds: 0) == "1970-01-01T00:00:00Z")
    }
}
