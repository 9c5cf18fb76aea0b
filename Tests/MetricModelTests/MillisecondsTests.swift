import MetricModel
import Testing

@Suite struct MillisecondsTests {
    @Test(
        arguments: [
            ("0", 0), ("1ms", 1), ("15s", 15_000), ("1h30m", 5_400_000), ("1d", 86_400_000), ("1w2d", 777_600_000),
            ("1y", 31_536_000_000), ("5m250ms", 300_250), ("292y", 9_208_512_000_000),
        ] as [(String, Int64)])
    func durationsAreRead(text: String, milliseconds: Int64) {
        #expect(Milliseconds(parsing: text)?.rawValue == milliseconds)
    }

    @Test(arguments: [
        "", "5", "s", "1m1h", "1s1s", "1.5s", "-5m", "1 h", "5x", "99999999999999999999s", "400000000000y",
        "293y", "200000000y",
    ])
    func otherTextIsRefused(text: String) {
        #expect(Milliseconds(parsing: text) == nil)
    }

    @Test(
        arguments: [
            (0, "0s"), (1, "1ms"), (90_000, "1m30s"), (3_600_000, "1h"), (86_400_000, "1d"), (604_800_000, "1w"),
            (694_800_000, "8d1h"), (-300_000, "-5m"), (31_536_000_000, "1y"), (.min, "-106751991167d7h12m55s808ms"),
        ] as [(Int64, String)])
    func durationsAreWrittenInCanonicalForm(milliseconds: Int64, text: String) {
        #expect(Milliseconds(rawValue: milliseconds).description == text)
    }
}
