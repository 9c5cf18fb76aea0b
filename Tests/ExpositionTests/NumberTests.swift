import Exposition
import MetricModel
import TestSupport
import Testing

@Suite struct NumberTests {
    private func read(_ text: String) -> Double? {
        guard case .sample(let sample)? = try? ExpositionBody(Array("a \(text)\n".utf8)).entries(.text).first else {
            return nil
        }
        return sample.value
    }

    @Test(arguments: [
        "0", "-0", "1", "12345678", "123456789", "9007199254740993", "18446744073709551615", "12345678901234567890123",
        "0.1",
        ".5", "5.", "00012.50", "1e22", "1e23", "1.5e-22", "123456789012345.678e-5", "4.9351e-05", "1e308",
        "-1.7976931348623157e308",
        "4.9e-324", "1e-400", "2.2250738585072014e-308", "0.000000000000000000000000000000001", "8.5e+05",
        "100000000000000016777215", "100000000000000016777216", "9007199254740991e22", "1e00000000000000000000001",
        "0000000000000000000000000000000000000000001",
    ])
    func numbersAreCorrectlyRounded(text: String) {
        #expect(read(text)?.bitPattern == Double(text)?.bitPattern)
    }

    @Test(arguments: [
        "", "-", "+", ".", "e5", "1e", "1e+", "1.2.3", "1_000", "0x10", "0x1p4", "--1", "1-", "nan1", "+nan", "infinit",
        "1e400",
        "-1e999999999999999999999", "1f", "١",
    ])
    func otherTextIsRefused(text: String) {
        #expect(read(text) == nil)
    }

    @Test(arguments: [
        ("Inf", Double.infinity), ("+inf", .infinity), ("-INF", -.infinity), ("infinity", .infinity),
        ("-Infinity", -.infinity),
    ])
    func infinitiesAreRead(text: String, value: Double) {
        #expect(read(text) == value)
    }

    @Test(arguments: ["NaN", "nan", "NAN"]) func everyNaNIsTheCanonicalOne(text: String) {
        #expect(read(text)?.bitPattern == Double.canonicalNaN.bitPattern)
    }

    @Test func everyDoubleReadsBackAsItself() {
        var random = SeededGenerator()
        for _ in 0..<20_000 {
            let value = Double(bitPattern: random.next())
            guard value.isFinite else { continue }
            #expect(read("\(value)")?.bitPattern == value.bitPattern, "seed \(random.seed): \(value)")
            let short = Double(Int64(truncatingIfNeeded: random.next() % 1_000_000)) / 1000
            #expect(read("\(short)") == short, "seed \(random.seed)")
        }
    }
}
