internal import Synchronization

/// One row of one block as bytes: what a commit adds to the row log. Any bit pattern comes back as it was.
///
/// ```
/// presence   1 byte: no slot has a value, every slot has one, the same slots as in the row before, or as a bitmap says
/// bitmap     width / 8 bytes, only for the last kind
/// codes      half a byte per value, the first one in the low half
/// data       as many bytes per value as its code says, little-endian
/// ```
/// A value is told from the two before it in its slot and chunk: counters mostly rise as they rose before, so that the change
/// of the step fits into the code itself. Missing values count as zero and as "no step", which makes a chunk's first row
/// decodable on its own.
///
/// | code | value |
/// |---|---|
/// | 0 | the same bits as before |
/// | 1, 2, 3 | the step before, one less, one more |
/// | 4…7 | zigzag step in 1…4 bytes |
/// | 8, 9 | zigzag change of the step in 1 or 2 bytes |
/// | 10…15 | exclusive or with the value before, its low 3…8 bytes |
enum RowCodec {
    private enum Presence {
        static let none: UInt8 = 0
        static let all: UInt8 = 1
        static let asBefore: UInt8 = 2
        static let bitmap: UInt8 = 3
    }

    /// Bytes that encoding may write beyond the end it reports.
    static let slack = 8
    /// Data bytes by code, half a byte each.
    private static let lengths: UInt64 = 0x8765_4321_4321_0000

    /// No row of a block with `width` slots is longer.
    static func longest(width: Int) -> Int { 1 + width / 8 + width / 2 + 8 * width }

    private static func length(_ code: UInt8) -> Int { Int(lengths >> UInt64(4 * code) & 15) }

    /// The whole number that `bits` stand for, if it is one that steps are taken of.
    @inline(__always)
    private static func whole(_ bits: UInt64) -> Int64? {
        let value = Double(bitPattern: bits)
        // Added to this, a whole number stands in the low bits. NaN fails the first comparison, -0 and fractions the second.
        let magic = 0x1.8p52
        guard value.magnitude < 0x1p51 else { return nil }
        let sum = value + magic
        guard (sum - magic).bitPattern == bits else { return nil }
        return Int64(bitPattern: sum.bitPattern &- magic.bitPattern)
    }

    @inline(__always)
    private static func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: value << 1 ^ value >> 63) }

    @inline(__always)
    private static func unzigzag(_ value: UInt64) -> Int64 {
        Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    // MARK: Encoding

    /// Writes `row` of `block`, which holds the rows of this chunk before it, and moves `end` behind it.
    static func encode(
        _ block: ActiveChunk.Block, row: Int, into output: UnsafeMutableRawPointer, _ end: inout Int
    ) {
        let width = unsafe block.width
        var every = UInt32.max
        var some: UInt32 = 0
        var changed: UInt32 = 0
        for column in 0..<width {
            let mask = unsafe block.masks[column].load(ordering: .relaxed)
            every &= mask
            some |= mask
            changed |= mask ^ mask << 1
        }
        let bit: UInt32 = 1 << UInt32(row)
        guard some & bit != 0 else {
            unsafe output.storeBytes(of: Presence.none, toByteOffset: end, as: UInt8.self)
            end += 1
            return
        }
        let kind = every & bit != 0 ? Presence.all : row > 0 && changed & bit == 0 ? Presence.asBefore : Presence.bitmap
        unsafe output.storeBytes(of: kind, toByteOffset: end, as: UInt8.self)
        end += 1
        if kind == Presence.bitmap { unsafe writeBitmap(block, row, output, &end) }
        let codes = end
        var count = width
        if kind != Presence.all {
            count = 0
            for column in 0..<width {
                unsafe count += Int(block.masks[column].load(ordering: .relaxed) >> UInt32(row) & 1)
            }
        }
        end += (count + 1) / 2
        let present = unsafe block.values + row * width
        var index = 0
        var low: UInt8 = 0
        for column in 0..<width {
            let mask = unsafe block.masks[column].load(ordering: .relaxed) << UInt32(31 - row)
            if mask >> 31 == 0 { continue }
            let value = unsafe present[column].load(ordering: .relaxed)
            let before = unsafe mask & 1 << 30 == 0 ? 0 : present[column - width].load(ordering: .relaxed)
            let earlier = unsafe mask >> 29 & 3 == 3 ? present[column - 2 * width].load(ordering: .relaxed) : before
            let code = unsafe encode(value, before, earlier, output, &end)
            if index & 1 == 0 {
                low = code
            } else {
                unsafe output.storeBytes(of: low | code << 4, toByteOffset: codes + index / 2, as: UInt8.self)
            }
            index += 1
        }
        if index & 1 == 1 { unsafe output.storeBytes(of: low, toByteOffset: codes + index / 2, as: UInt8.self) }
    }

    private static func writeBitmap(
        _ block: ActiveChunk.Block, _ row: Int, _ output: UnsafeMutableRawPointer, _ end: inout Int
    ) {
        for column in stride(from: 0, to: unsafe block.width, by: 8) {
            var byte: UInt8 = 0
            for bit in 0..<8 {
                let mask = unsafe block.masks[column + bit].load(ordering: .relaxed)
                byte |= UInt8(truncatingIfNeeded: mask >> UInt32(row) & 1) << UInt8(bit)
            }
            unsafe output.storeBytes(of: byte, toByteOffset: end, as: UInt8.self)
            end += 1
        }
    }

    /// Writes the data of one value and gives its code.
    @inline(__always)
    private static func encode(
        _ value: UInt64, _ before: UInt64, _ earlier: UInt64, _ output: UnsafeMutableRawPointer, _ end: inout Int
    ) -> UInt8 {
        if value == before { return 0 }
        if let present = whole(value) {
            let last = whole(before) ?? 0
            let step = present - last
            let folded = zigzag(step)
            let change = zigzag(step - (last - (whole(earlier) ?? last)))
            if change < 3 { return 1 + UInt8(truncatingIfNeeded: change) }
            // No step at all is left where the value before is not whole but counts as the same.
            let length = max(1, (71 - folded.leadingZeroBitCount) / 8)
            let changeLength = (71 - change.leadingZeroBitCount) / 8
            if changeLength < length, changeLength <= 2 {
                unsafe output.storeBytes(of: change.littleEndian, toByteOffset: end, as: UInt64.self)
                end += changeLength
                return 7 + UInt8(truncatingIfNeeded: changeLength)
            }
            if length <= 4 {
                unsafe output.storeBytes(of: folded.littleEndian, toByteOffset: end, as: UInt64.self)
                end += length
                return 3 + UInt8(truncatingIfNeeded: length)
            }
        }
        let difference = value ^ before
        let length = max(3, (71 - difference.leadingZeroBitCount) / 8)
        unsafe output.storeBytes(of: difference.littleEndian, toByteOffset: end, as: UInt64.self)
        end += length
        return 7 + UInt8(truncatingIfNeeded: length)
    }

    // MARK: Decoding

    /// Reads what `encode` wrote for `row` into `block`, which holds the rows before it. Whether the bytes made sense; those
    /// that do not leave the block as it was.
    static func decode(
        _ input: UnsafeRawBufferPointer, _ offset: inout Int, into block: ActiveChunk.Block, row: Int
    ) -> Bool {
        let width = unsafe block.width
        guard offset < input.count else { return false }
        let kind = unsafe input[offset]
        offset += 1
        switch kind {
        case Presence.none: return true
        case Presence.all: break
        case Presence.asBefore where row > 0: break
        case Presence.bitmap where offset + width / 8 <= input.count: break
        default: return false
        }
        let bitmap = offset
        if kind == Presence.bitmap { offset += width / 8 }
        func isPresent(_ column: Int) -> Bool {
            switch kind {
            case Presence.all: true
            case Presence.bitmap: unsafe input[bitmap + column / 8] >> UInt8(column % 8) & 1 == 1
            default: unsafe block.masks[column].load(ordering: .relaxed) >> UInt32(row - 1) & 1 == 1
            }
        }
        let count = (0..<width).reduce(0) { $0 + (isPresent($1) ? 1 : 0) }
        let codes = offset
        offset += (count + 1) / 2
        guard offset <= input.count else { return false }
        func code(_ index: Int) -> UInt8 { unsafe input[codes + index / 2] >> UInt8(4 * (index & 1)) & 15 }
        guard offset + (0..<count).reduce(0, { $0 + length(code($1)) }) <= input.count else { return false }
        var index = 0
        for column in 0..<width where isPresent(column) {
            let mask = unsafe block.masks[column].load(ordering: .relaxed)
            let cell = row * width + column
            let before = row > 0 && mask >> UInt32(row - 1) & 1 == 1
            let earlier = row > 1 && before && mask >> UInt32(row - 2) & 1 == 1
            let last = before ? unsafe block.values[cell - width].load(ordering: .relaxed) : 0
            let lastButOne = earlier ? unsafe block.values[cell - 2 * width].load(ordering: .relaxed) : last
            let value = unsafe decode(code(index), input, &offset, last, lastButOne)
            unsafe block.values[cell].store(value, ordering: .relaxed)
            unsafe block.masks[column].store(mask | 1 << UInt32(row), ordering: .relaxed)
            index += 1
        }
        return true
    }

    @inline(__always)
    private static func decode(
        _ code: UInt8, _ input: UnsafeRawBufferPointer, _ offset: inout Int, _ before: UInt64, _ earlier: UInt64
    ) -> UInt64 {
        var data: UInt64 = 0
        let length = length(code)
        for index in 0..<length { unsafe data |= UInt64(input[offset + index]) << UInt64(8 * index) }
        offset += length
        if code == 0 { return before }
        if code >= 10 { return before ^ data }
        let last = whole(before) ?? 0
        let step: Int64
        if (4...7).contains(code) {
            step = unzigzag(data)
        } else {
            let change = code < 4 ? UInt64(code - 1) : data
            step = (last - (whole(earlier) ?? last)) &+ unzigzag(change)
        }
        return Double(last &+ step).bitPattern
    }
}
