internal import MetricModel

/// The forms of times and values in Prometheus's JSON, written straight into a byte buffer: answers hold hundreds of
/// thousands of them.
enum SampleText {
    /// Seconds, with exactly three decimals where there is a fraction: `1435781451.050`.
    static func append(time milliseconds: Int64, to bytes: inout [UInt8]) {
        if milliseconds < 0 { bytes.append(UInt8(ascii: "-")) }
        let (seconds, fraction) = milliseconds.magnitude.quotientAndRemainder(dividingBy: 1000)
        append(seconds, to: &bytes)
        guard fraction != 0 else { return }
        bytes.append(UInt8(ascii: "."))
        bytes.append(0x30 + UInt8(truncatingIfNeeded: fraction / 100))
        bytes.append(0x30 + UInt8(truncatingIfNeeded: fraction / 10 % 10))
        bytes.append(0x30 + UInt8(truncatingIfNeeded: fraction % 10))
    }

    /// A sample value as ``FloatText/json(_:)`` gives it, without quotes.
    static func append(value: Double, to bytes: inout [UInt8]) {
        if value.magnitude < 0x1p53, value == value.rounded(.towardZero), value != 0 || value.sign == .plus {
            if value < 0 { bytes.append(UInt8(ascii: "-")) }
            return append(UInt64(value.magnitude), to: &bytes)
        }
        // From 1e-4 up Swift writes what Prometheus writes.
        if value.magnitude >= 1e-4, value.magnitude < 0x1p53 {
            bytes.append(contentsOf: value.description.utf8)
        } else {
            bytes.append(contentsOf: FloatText.json(value).utf8)
        }
    }

    /// `[t,"v"]`.
    static func append(point milliseconds: Int64, _ value: Double, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "["))
        append(time: milliseconds, to: &bytes)
        bytes.append(UInt8(ascii: ","))
        bytes.append(UInt8(ascii: "\""))
        append(value: value, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: "]"))
    }

    private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        if number < 10 { return bytes.append(0x30 + UInt8(truncatingIfNeeded: number)) }
        let start = bytes.count
        var rest = number
        while rest > 0 {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            bytes.append(0x30 + UInt8(truncatingIfNeeded: digit))
            rest = quotient
        }
        var low = start
        var high = bytes.count - 1
        while low < high {
            bytes.swapAt(low, high)
            low += 1
            high -= 1
        }
    }
}
