internal import MetricModel

/// A few bytes on the stack for the text of one point, so that the growing response is accessed once per point and not
/// once per byte.
@unsafe struct NumberScratch {
    /// Room for the longest point: a time of 21 bytes, a value of 25, and the punctuation.
    private static let capacity = 96

    private let base: UnsafeMutableBufferPointer<UInt8>
    private var count = 0

    private init(_ base: UnsafeMutableBufferPointer<UInt8>) {
        unsafe self.base = unsafe base
    }

    /// Appends to `bytes` the text that `write` puts.
    static func append(to bytes: inout [UInt8], _ write: (inout NumberScratch) -> Void) {
        unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: capacity) { memory in
            var scratch = unsafe NumberScratch(memory)
            unsafe write(&scratch)
            unsafe bytes.append(contentsOf: UnsafeBufferPointer(rebasing: memory[..<scratch.count]))
        }
    }

    mutating func put(_ byte: UInt8) {
        // The callers limit the length. A programming error must not write elsewhere.
        precondition(unsafe count < base.count)
        unsafe base.initializeElement(at: count, to: byte)
        unsafe count += 1
    }

    mutating func put(time milliseconds: Int64) {
        if milliseconds < 0 { unsafe put(UInt8(ascii: "-")) }
        let (seconds, fraction) = milliseconds.magnitude.quotientAndRemainder(dividingBy: 1000)
        unsafe put(seconds)
        guard fraction != 0 else { return }
        unsafe put(UInt8(ascii: "."))
        unsafe put(0x30 + UInt8(truncatingIfNeeded: fraction / 100))
        unsafe put(0x30 + UInt8(truncatingIfNeeded: fraction / 10 % 10))
        unsafe put(0x30 + UInt8(truncatingIfNeeded: fraction % 10))
    }

    mutating func put(value: Double) {
        if value.magnitude < 0x1p53, value == value.rounded(.towardZero), value != 0 || value.sign == .plus {
            if value < 0 { unsafe put(UInt8(ascii: "-")) }
            return unsafe put(UInt64(value.magnitude))
        }
        // From 1e-4 up, Swift writes the same text as Prometheus.
        let isPlain = value.magnitude >= 1e-4 && value.magnitude < 0x1p53
        for byte in (isPlain ? value.description : FloatText.json(value)).utf8 { unsafe put(byte) }
    }

    private mutating func put(_ number: UInt64) {
        var length = 1
        var bound: UInt64 = 10
        while length < 20, number >= bound {
            length += 1
            bound = length == 20 ? .max : bound * 10
        }
        precondition(unsafe count + length <= base.count)
        var place = unsafe count + length
        var rest = number
        // Two digits per division, because division is the main cost.
        while rest >= 10 {
            let (quotient, pair) = rest.quotientAndRemainder(dividingBy: 100)
            let digits = UInt8(truncatingIfNeeded: pair)
            place -= 1
            unsafe base.initializeElement(at: place, to: 0x30 + digits % 10)
            place -= 1
            unsafe base.initializeElement(at: place, to: 0x30 + digits / 10)
            rest = quotient
        }
        if unsafe place > count {
            place -= 1
            unsafe base.initializeElement(at: place, to: 0x30 + UInt8(truncatingIfNeeded: rest))
        }
        unsafe count += length
    }
}
