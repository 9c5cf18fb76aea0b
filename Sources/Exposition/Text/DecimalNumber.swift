internal import CFastFloat
internal import MetricModel

/// Reads the numbers of the text formats: those of Go's `strconv.ParseFloat`, without underscores and hexadecimals.
///
/// `@unchecked`: the tables are written before `init` returns, and never after.
@safe struct DecimalNumber: @unchecked Sendable {
    /// 10⁰...10²², all exact.
    private let powers: UnsafePointer<Double>
    /// 10⁰...10⁸.
    private let integers: UnsafePointer<UInt64>

    private static let shared = DecimalNumber()
    /// The only instance. Its tables are never freed.
    static var tables: DecimalNumber { shared }

    private init() {
        let powers = UnsafeMutablePointer<Double>.allocate(capacity: 23)
        let integers = UnsafeMutablePointer<UInt64>.allocate(capacity: 9)
        var power = 1.0
        for index in 0...22 {
            unsafe powers[index] = power
            power *= 10
        }
        var integer: UInt64 = 1
        for index in 0...8 {
            unsafe integers[index] = integer
            integer *= 10
        }
        unsafe self.powers = UnsafePointer(powers)
        unsafe self.integers = UnsafePointer(integers)
    }

    /// Reads the number at `start`, correctly rounded.
    ///
    /// - Returns: its length in bytes; 0 if there is none or its magnitude exceeds every `Double`.
    /// - Note: Up to 8 bytes after the number are loaded. The exact path is Clinger's: a mantissa below 2⁵³ times a
    ///   power of ten up to 10²² rounds once (W. Clinger, How to Read Floating Point Numbers Accurately, 1990).
    @inline(__always)
    func read(_ start: UnsafePointer<UInt8>, _ value: inout Double) -> Int {
        var place = unsafe start
        let sign = unsafe place.pointee
        if sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { unsafe place += 1 }
        let first = unsafe place
        var mantissa: UInt64 = 0
        unsafe digits(&place, &mantissa)
        var count = unsafe place - first
        var exponent = 0
        if unsafe place.pointee == UInt8(ascii: ".") {
            unsafe place += 1
            let fraction = unsafe place
            unsafe digits(&place, &mantissa)
            exponent = unsafe fraction - place
            count -= exponent
        }
        guard count > 0 else { return unsafe special(start, &value) }
        if unsafe place.pointee | 0x20 == UInt8(ascii: "e") {
            guard unsafe readExponent(&place, &exponent) else { return 0 }
        }
        var magnitude: Double
        if count <= 19 && exponent == 0 {
            magnitude = Double(mantissa)
        } else if count <= 19 && mantissa < 1 << 53 && exponent.magnitude <= 22 {
            magnitude = Double(mantissa)
            if exponent < 0 {
                unsafe magnitude /= powers[-exponent]
            } else {
                unsafe magnitude *= powers[exponent]
            }
        } else {
            magnitude = 0
            let length = unsafe place - first
            guard
                unsafe first.withMemoryRebound(
                    to: CChar.self, capacity: length,
                    {
                        unsafe cfastfloat_parse($0, length, &magnitude)
                    }) == length, magnitude.isFinite
            else { return 0 }
        }
        value = sign == UInt8(ascii: "-") ? -magnitude : magnitude
        return unsafe place - start
    }

    /// Reads decimal digits, eight at a time. A mantissa with more than 19 digits wraps and must not be used.
    @inline(__always)
    private func digits(_ place: inout UnsafePointer<UInt8>, _ mantissa: inout UInt64) {
        while true {
            let word =
                unsafe UInt64(
                    littleEndian: UnsafeRawPointer(place).loadUnaligned(as: UInt64.self)) ^ 0x3030_3030_3030_3030
            // The lowest byte that is not a digit gets its top bit set. Carries affect only the bytes above it.
            let others = ((word &+ 0x7676_7676_7676_7676) | word) & 0x8080_8080_8080_8080
            let count = others.trailingZeroBitCount >> 3
            if count == 0 { return }
            let value = Self.eightDigits(word << UInt64(64 - 8 * count))
            mantissa = unsafe mantissa &* integers[count] &+ value
            unsafe place += count
            if count < 8 { return }
        }
    }

    /// The number whose decimal digits are the bytes of `word`, with the first digit in the lowest byte.
    @inline(__always)
    private static func eightDigits(_ word: UInt64) -> UInt64 {
        let pairs = (word &* 10) &+ (word >> 8)
        let low = (pairs & 0x0000_00ff_0000_00ff) &* 0x000f_4240_0000_0064
        let high = ((pairs >> 16) & 0x0000_00ff_0000_00ff) &* 0x0000_2710_0000_0001
        return (low &+ high) >> 32
    }

    private func readExponent(_ place: inout UnsafePointer<UInt8>, _ exponent: inout Int) -> Bool {
        unsafe place += 1
        let sign = unsafe place.pointee
        if sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { unsafe place += 1 }
        let first = unsafe place
        var explicit = 0
        while unsafe place.pointee >= 0x30 && place.pointee <= 0x39 {
            if explicit < 100_000 { explicit = unsafe explicit * 10 + Int(place.pointee - 0x30) }
            unsafe place += 1
        }
        exponent += sign == UInt8(ascii: "-") ? -explicit : explicit
        return unsafe place > first
    }

    /// `NaN`, and `Inf` or `Infinity` with an optional sign, in any case.
    @inline(never)
    private func special(_ start: UnsafePointer<UInt8>, _ value: inout Double) -> Int {
        func matches(_ word: StaticString, at offset: Int) -> Bool {
            (0..<word.utf8CodeUnitCount).allSatisfy { index in
                unsafe start[offset + index] | 0x20 == word.utf8Start[index]
            }
        }
        if matches("nan", at: 0) {
            value = .canonicalNaN
            return 3
        }
        let sign = unsafe start.pointee
        let offset = sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") ? 1 : 0
        guard matches("inf", at: offset) else { return 0 }
        value = sign == UInt8(ascii: "-") ? -.infinity : .infinity
        return offset + (matches("infinity", at: offset) ? 8 : 3)
    }
}
