internal import MetricModel

/// One bit per row of a chunk; the lowest bit is the first row.
package typealias RowMask = UInt16

/// One slot's values in one chunk, as bytes. Every bit pattern is preserved.
///
/// ```
/// head    kind (2 bits), power of ten (4 bits), gaps follow, stale rows follow
/// gaps    2 bytes, a bit per row that has a sample; omitted if every row has one
/// stale   2 bytes, a bit per row that holds the staleness marker; omitted if no row has one
/// body    constant: the bits of the value
///         level:    the one value (zigzag varint), where that is shorter
///         whole:    bits per step (1 byte), first value, smallest step (both zigzag varint), steps above the smallest
///         raw:      8 bytes per value
/// ```
/// A whole number is the value multiplied by 10^power, because most exposed values are decimals. Steps between adjacent
/// values are packed in as many bits as the largest needs: a counter that rises by 0…15 per scrape takes four bits.
@safe package enum ColumnCodec {
    /// Rows of a chunk. Every series takes eight bytes per row in the active chunk, and a head and a first value per
    /// chunk on disk. docs/design/0010 compares 16 and 32.
    package static let rows = RowMask.bitWidth
    private static let maskSize = RowMask.bitWidth / 8
    /// The maximum length of an encoding.
    package static let longest = 9 + 8 * rows
    /// Bytes that decoding may read past the end.
    package static let slack = 8

    private static let constant: UInt8 = 0
    private static let whole: UInt8 = 1
    private static let raw: UInt8 = 2
    private static let level: UInt8 = 3
    private static let hasGaps: UInt8 = 0x40
    private static let hasStale: UInt8 = 0x80
    private static let widestStep = 56

    /// Encodes the values of the rows in `present`, of `rowCount` rows.
    ///
    /// - Parameters:
    ///   - values: the bits of one value per row; rows that are not in `present` are ignored.
    ///   - output: room for ``longest`` bytes.
    /// - Returns: the number of bytes written; 0 if no row is present.
    package static func encode(
        _ values: UnsafePointer<UInt64>, present: RowMask, rowCount: Int, into output: UnsafeMutableRawPointer
    ) -> Int {
        guard present != 0 else { return 0 }
        var stale: RowMask = 0
        return unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: rows) { packed in
            var count = 0
            var rest = present
            while rest != 0 {
                let row = rest.trailingZeroBitCount
                rest &= rest - 1
                if unsafe values[row] == Double.staleMarker.bitPattern {
                    stale |= 1 << RowMask(row)
                } else {
                    unsafe packed[count] = unsafe values[row]
                    count += 1
                }
            }
            var head: UInt8 = 0
            var end = 1
            if present != everyRow(rowCount) {
                head |= hasGaps
                unsafe output.storeBytes(of: present.littleEndian, toByteOffset: end, as: RowMask.self)
                end += maskSize
            }
            if stale != 0 {
                head |= hasStale
                unsafe output.storeBytes(of: stale.littleEndian, toByteOffset: end, as: RowMask.self)
                end += maskSize
            }
            if count > 0 {
                head |= unsafe encodeBody(UnsafeBufferPointer(rebasing: packed[..<count]), output, &end)
            }
            unsafe output.storeBytes(of: head, as: UInt8.self)
            return end
        }
    }

    /// Decodes one value per row. Returns the rows that have one.
    ///
    /// - Parameters:
    ///   - length: the result of `encode`; at least ``slack`` readable bytes must follow.
    ///   - values: room for ``rows`` values; rows without a sample are not changed.
    package static func decode(
        _ input: UnsafeRawPointer, length: Int, rowCount: Int, into values: UnsafeMutablePointer<UInt64>
    ) -> RowMask {
        guard length > 0 else { return 0 }
        let head = unsafe input.load(as: UInt8.self)
        var offset = 1
        var present = everyRow(rowCount)
        var stale: RowMask = 0
        if head & hasGaps != 0 {
            present &= unsafe RowMask(littleEndian: input.loadUnaligned(fromByteOffset: offset, as: RowMask.self))
            offset += maskSize
        }
        if head & hasStale != 0 {
            stale =
                unsafe present & RowMask(littleEndian: input.loadUnaligned(fromByteOffset: offset, as: RowMask.self))
            offset += maskSize
        }
        let count = (present & ~stale).nonzeroBitCount
        if count > 0 { unsafe decodeBody(input, &offset, head, count, values) }
        if present != everyRow(rowCount) || stale != 0 { unsafe spread(values, count, present, stale) }
        return present
    }

    /// A bit for each of the first `count` rows.
    package static func everyRow(_ count: Int) -> RowMask {
        count >= rows ? .max : (1 << RowMask(count)) - 1
    }

    /// Moves `count` values from the front to their rows. Starts with the last, so that none is overwritten before it
    /// is read.
    private static func spread(
        _ values: UnsafeMutablePointer<UInt64>, _ count: Int, _ present: RowMask, _ stale: RowMask
    ) {
        var source = count
        var rest = present
        while rest != 0 {
            let row = rows - 1 - rest.leadingZeroBitCount
            rest &= ~(1 << RowMask(row))
            if stale & (1 << RowMask(row)) != 0 {
                unsafe values[row] = Double.staleMarker.bitPattern
            } else {
                source -= 1
                unsafe values[row] = unsafe values[source]
            }
        }
    }
}

extension ColumnCodec {
    private static func encodeBody(
        _ values: UnsafeBufferPointer<UInt64>, _ output: UnsafeMutableRawPointer, _ end: inout Int
    ) -> UInt8 {
        let first = unsafe values[0]
        if unsafe values.allSatisfy({ $0 == first }) {
            if let (integer, power) = wholeNumber(Double(bitPattern: first)), varintLength(integer) < 8 {
                unsafe writeVarint(integer, output, &end)
                return level | UInt8(power) << 2
            }
            unsafe output.storeBytes(of: first.littleEndian, toByteOffset: end, as: UInt64.self)
            end += 8
            return constant
        }
        return unsafe withUnsafeTemporaryAllocation(of: Int64.self, capacity: rows) { integers in
            if let power = unsafe wholeNumbers(values, integers),
                unsafe encodeSteps(integers, values.count, output, &end)
            {
                return whole | UInt8(power) << 2
            }
            for index in values.indices {
                unsafe output.storeBytes(of: values[index].littleEndian, toByteOffset: end, as: UInt64.self)
                end += 8
            }
            return raw
        }
    }

    /// The power of ten by which every value becomes an integer from which it can be restored exactly.
    private static func wholeNumbers(
        _ values: UnsafeBufferPointer<UInt64>, _ integers: UnsafeMutableBufferPointer<Int64>
    ) -> Int? {
        var power = 0
        for index in values.indices {
            let value = unsafe Double(bitPattern: values[index])
            while true {
                if let integer = DecimalScale.exactInteger(value, power) {
                    unsafe integers[index] = integer
                    break
                }
                power += 1
                if power == DecimalScale.powers.count { return nil }
            }
        }
        if power > 0 {
            for index in values.indices {
                guard let integer = DecimalScale.exactInteger(unsafe Double(bitPattern: values[index]), power) else {
                    return nil
                }
                unsafe integers[index] = integer
            }
        }
        return power
    }

    /// The same for one value.
    private static func wholeNumber(_ value: Double) -> (integer: Int64, power: Int)? {
        for power in DecimalScale.powers.indices {
            if let integer = DecimalScale.exactInteger(value, power) { return (integer, power) }
        }
        return nil
    }

    /// Writes first value and steps, unless raw values are shorter.
    private static func encodeSteps(
        _ integers: UnsafeMutableBufferPointer<Int64>, _ count: Int, _ output: UnsafeMutableRawPointer, _ end: inout Int
    ) -> Bool {
        var smallest = count == 1 ? 0 : Int64.max
        var largest = count == 1 ? 0 : Int64.min
        for index in 1..<max(count, 1) {
            let (step, overflow) = unsafe integers[index].subtractingReportingOverflow(integers[index - 1])
            if overflow { return false }
            smallest = min(smallest, step)
            largest = max(largest, step)
        }
        let (span, overflow) = largest.subtractingReportingOverflow(smallest)
        let width = 64 - UInt64(bitPattern: span).leadingZeroBitCount
        let packed = (width * (count - 1) + 7) / 8
        let size = unsafe 1 + varintLength(integers[0]) + varintLength(smallest) + packed
        guard !overflow, width <= widestStep, size <= 8 * count else { return false }
        unsafe output.storeBytes(of: UInt8(width), toByteOffset: end, as: UInt8.self)
        end += 1
        unsafe writeVarint(integers[0], output, &end)
        unsafe writeVarint(smallest, output, &end)
        var pending: UInt64 = 0
        var pendingBits = 0
        for index in 1..<max(count, 1) {
            let step = unsafe UInt64(bitPattern: integers[index] &- integers[index - 1] &- smallest)
            pending |= step << UInt64(pendingBits)
            pendingBits += width
            while pendingBits >= 8 {
                unsafe output.storeBytes(of: UInt8(truncatingIfNeeded: pending), toByteOffset: end, as: UInt8.self)
                end += 1
                pending >>= 8
                pendingBits -= 8
            }
        }
        if pendingBits > 0 {
            unsafe output.storeBytes(of: UInt8(truncatingIfNeeded: pending), toByteOffset: end, as: UInt8.self)
            end += 1
        }
        return true
    }

    private static func decodeBody(
        _ input: UnsafeRawPointer, _ offset: inout Int, _ head: UInt8, _ count: Int,
        _ values: UnsafeMutablePointer<UInt64>
    ) {
        switch head & 3 {
        case constant:
            let value = unsafe UInt64(littleEndian: input.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            for index in 0..<count { unsafe values[index] = value }
        case level:
            let value = unsafe Double(readVarint(input, &offset)) / DecimalScale.powers[Int(head >> 2 & 15)]
            for index in 0..<count { unsafe values[index] = value.bitPattern }
        case whole:
            unsafe decodeSteps(input, &offset, count) { index, integer in
                unsafe values[index] = UInt64(bitPattern: integer)
            }
            let scale = DecimalScale.powers[Int(head >> 2 & 15)]
            if scale == 1 {
                for index in 0..<count {
                    unsafe values[index] = Double(Int64(bitPattern: values[index])).bitPattern
                }
            } else {
                for index in 0..<count {
                    unsafe values[index] = (Double(Int64(bitPattern: values[index])) / scale).bitPattern
                }
            }
        default:
            for index in 0..<count {
                unsafe values[index] = UInt64(
                    littleEndian: input.loadUnaligned(fromByteOffset: offset + 8 * index, as: UInt64.self))
            }
        }
    }

    @inline(__always)
    private static func decodeSteps(
        _ input: UnsafeRawPointer, _ offset: inout Int, _ count: Int, _ body: (Int, Int64) -> Void
    ) {
        let width = unsafe Int(input.load(fromByteOffset: offset, as: UInt8.self)) & 63
        offset += 1
        var value = unsafe readVarint(input, &offset)
        let smallest = unsafe readVarint(input, &offset)
        let mask: UInt64 = (1 << UInt64(width)) - 1
        body(0, value)
        var bit = 0
        for index in 1..<max(count, 1) {
            let word = unsafe UInt64(
                littleEndian: input.loadUnaligned(fromByteOffset: offset + bit >> 3, as: UInt64.self))
            let step = word >> UInt64(bit & 7) & mask
            bit += width
            value = value &+ smallest &+ Int64(bitPattern: step)
            body(index, value)
        }
        offset += (bit + 7) / 8
    }

    private static func varintLength(_ value: Int64) -> Int {
        let folded = UInt64(bitPattern: value << 1 ^ value >> 63)
        return max(1, (70 - folded.leadingZeroBitCount) / 7)
    }

    private static func writeVarint(_ value: Int64, _ output: UnsafeMutableRawPointer, _ end: inout Int) {
        var rest = UInt64(bitPattern: value << 1 ^ value >> 63)
        while rest >= 0x80 {
            unsafe output.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: end, as: UInt8.self)
            end += 1
            rest >>= 7
        }
        unsafe output.storeBytes(of: UInt8(rest), toByteOffset: end, as: UInt8.self)
        end += 1
    }

    private static func readVarint(_ input: UnsafeRawPointer, _ offset: inout Int) -> Int64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 70 {
            let byte = unsafe input.load(fromByteOffset: offset, as: UInt8.self)
            offset += 1
            result |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { break }
            shift += 7
        }
        return Int64(bitPattern: result >> 1) ^ -Int64(bitPattern: result & 1)
    }

    /// Encodes `times` as steps, or raw if the steps are too wide. `output` must have room for ``longest`` bytes.
    package static func encodeTimes(
        _ times: UnsafeMutableBufferPointer<Int64>, into output: UnsafeMutableRawPointer
    ) -> Int {
        var end = 1
        var head = whole
        if unsafe !encodeSteps(times, times.count, output, &end) {
            head = raw
            for index in times.indices {
                unsafe output.storeBytes(of: times[index].littleEndian, toByteOffset: end, as: Int64.self)
                end += 8
            }
        }
        unsafe output.storeBytes(of: head, as: UInt8.self)
        return end
    }

    /// Decodes `count` times written by `encodeTimes`.
    package static func decodeTimes(_ input: UnsafeRawPointer, count: Int) -> [Int64] {
        var offset = 1
        var times = [Int64](repeating: 0, count: count)
        if unsafe input.load(as: UInt8.self) == whole {
            unsafe decodeSteps(input, &offset, count) { times[$0] = $1 }
        } else {
            for index in 0..<count {
                times[index] = unsafe Int64(
                    littleEndian: input.loadUnaligned(fromByteOffset: offset + 8 * index, as: Int64.self))
            }
        }
        return times
    }
}
