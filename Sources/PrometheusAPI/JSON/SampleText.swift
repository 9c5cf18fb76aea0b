internal import MetricModel

/// The texts of times and values in Prometheus's JSON, written directly into a byte buffer: responses contain hundreds
/// of thousands of them.
enum SampleText {
    /// Seconds, with exactly three decimals if there is a fraction: `1435781451.050`.
    static func append(time milliseconds: Int64, to bytes: inout [UInt8]) {
        unsafe NumberScratch.append(to: &bytes) { unsafe $0.put(time: milliseconds) }
    }

    /// A sample value like ``FloatText/json(_:)``, without quotes.
    static func append(value: Double, to bytes: inout [UInt8]) {
        unsafe NumberScratch.append(to: &bytes) { unsafe $0.put(value: value) }
    }

    /// `[t,"v"]`.
    static func append(point milliseconds: Int64, _ value: Double, to bytes: inout [UInt8]) {
        unsafe NumberScratch.append(to: &bytes) { scratch in
            unsafe scratch.put(UInt8(ascii: "["))
            unsafe scratch.put(time: milliseconds)
            unsafe scratch.put(UInt8(ascii: ","))
            unsafe scratch.put(UInt8(ascii: "\""))
            unsafe scratch.put(value: value)
            unsafe scratch.put(UInt8(ascii: "\""))
            unsafe scratch.put(UInt8(ascii: "]"))
        }
    }
}
