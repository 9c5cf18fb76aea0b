import MetricModel
import TestSupport
import Testing

/// Expected texts are those of Go 1.22's `strconv.FormatFloat(v, verb, -1, 64)`.
@Suite struct FloatTextTests {
    @Test(
        arguments: [
            (0, "0", "0e+00", "0"), (-0.0, "-0", "-0e+00", "-0"), (1, "1", "1e+00", "1"), (0.1, "0.1", "1e-01", "0.1"),
            (123.456, "123.456", "1.23456e+02", "123.456"), (1e21, "1000000000000000000000", "1e+21", "1e+21"),
            (1e20, "100000000000000000000", "1e+20", "1e+20"),
            (1_234_567.5, "1234567.5", "1.2345675e+06", "1.2345675e+06"),
            (123_456.5, "123456.5", "1.234565e+05", "123456.5"), (1e6, "1000000", "1e+06", "1e+06"),
            (1e-5, "0.00001", "1e-05", "1e-05"),
            (-1.5e-7, "-0.00000015", "-1.5e-07", "-1.5e-07"), (.infinity, "+Inf", "+Inf", "+Inf"),
            (-.infinity, "-Inf", "-Inf", "-Inf"), (.nan, "NaN", "NaN", "NaN"),
            (1e100, "1" + String(repeating: "0", count: 100), "1e+100", "1e+100"),
        ] as [(Double, String, String, String)])
    func formsMatchGo(value: Double, plain: String, exponential: String, general: String) {
        #expect(FloatText.plain(value) == plain)
        #expect(FloatText.exponential(value) == exponential)
        #expect(FloatText.general(value) == general)
    }

    @Test(
        arguments: [
            (1e-7, "1e-07"), (1e-6, "0.000001"), (1e21, "1e+21"), (-0.0, "-0"), (42, "42"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e15, "1000000000000000"), (123_456_789_012, "123456789012"),
        ] as [(Double, String)])
    func jsonFormSwitchesToExponentsLikePrometheus(value: Double, text: String) {
        #expect(FloatText.json(value) == text)
    }

    @Test func everyFormReadsBackAsTheSameNumber() throws {
        var generator = SeededGenerator()
        for _ in 0..<2000 {
            let value = Double(bitPattern: generator.next())
            guard value.isFinite else { continue }
            for text in [
                FloatText.plain(value), FloatText.exponential(value), FloatText.general(value), FloatText.json(value),
            ] {
                #expect(Double(text)?.bitPattern == value.bitPattern, "\(text), seed \(generator.seed)")
            }
        }
    }
}
