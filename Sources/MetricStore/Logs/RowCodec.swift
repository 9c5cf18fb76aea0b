internal import Synchronization

/// One row of one block as bytes, as a commit adds it to the row log. Every bit pattern is preserved.
///
/// ```
/// presence   1 byte: no slot has a value, every slot has one, the slots of the previous row, or those in a bitmap
/// bitmap     width / 8 bytes, only for the last kind
/// codes      4 bits per value, the first one in the low half
/// data       bytes of each value, their number given by its code, little-endian
/// ```
/// A value is predicted from the previous two of its slot and chunk. Counters usually rise at a steady rate, so the
/// change of the step fits in the code itself. A missing value counts as zero and as "no step", so that the first row
/// of a chunk can be decoded on its own.
///
/// | code | value |
/// |---|---|
/// | 0 | the same bits as the previous value |
/// | 1, 2, 3 | the previous step, one less, one more |
/// | 4…7 | zigzag step in 1…4 bytes |
/// | 8, 9 | zigzag change of the step in 1 or 2 bytes |
/// | 10…15 | exclusive or with the previous value, its low 3…8 bytes |
enum RowCodec {
    private enum Presence {
        static let none: UInt8 = 0
        static let all: UInt8 = 1
        static let asBefore: UInt8 = 2
        static let bitmap: UInt8 = 3
    }

    /// The highest bit of a row mask.
    private static let highest = RowMask.bitWidth - 1
    /// Bytes that encoding may write after the reported end.
    static let slack = 8
    /// Number of data bytes by code, 4 bits each.
    private static let lengths: UInt64 = 0x8765_4321_4321_0000

    /// The maximum length of a row of a block with `width` slots.
    static func longest(width: Int) -> Int { 1 + width / 8 + width / 2 + 8 * width }

    private static func length(_ code: UInt8) -> Int { Int(lengths >> UInt64(4 * code) & 15) }

    /// The integer with these bits, if it can be stored as a step.
    @inline(__always)
    private static func whole(_ bits: UInt64) -> Int64? {
        let value = Double(bitPattern: bits)
        // Added to this, an integer is in the low bits. NaN fails the first comparison, -0 and fractions the second.
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

    /// Writes `row` of `block`, which contains the previous rows of the chunk, and advances `end`.
    static func encode(
        _ block: ActiveChunk.Block, row: Int, into output: UnsafeMutableRawPointer, _ end: inout Int
    ) {
        let width = unsafe block.width
        var every = RowMask.max
        var some: RowMask = 0
        var changed: RowMask = 0
        for column in 0..<width {
            let mask = unsafe block.masks[column].load(ordering: .relaxed)
            every &= mask
            some |= mask
            changed |= mask ^ mask << 1
        }
        let bit: RowMask = 1 << RowMask(row)
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
                unsafe count += Int(block.masks[column].load(ordering: .relaxed) >> RowMask(row) & 1)
            }
        }
        end += (count + 1) / 2
        let reach = min(row, 2)
        let cells = unsafe block.values + row * width
        let needed: RowMask = (bit &<< 1 &- 1) & ~(bit &>> RowMask(reach) &- 1)
        if every & needed == needed {
            unsafe encodeFull(cells, width: width, reach: reach, codes: codes, output, &end)
        } else {
            unsafe encodeSparse(block, row, cells, codes: codes, output, &end)
        }
    }

    /// Writes a row in which every slot has a value, as in the `reach` rows before.
    private static func encodeFull(
        _ cells: AtomicWords, width: Int, reach: Int, codes: Int, _ output: UnsafeMutableRawPointer, _ end: inout Int
    ) {
        let before = unsafe cells - (reach > 0 ? width : 0)
        let earlier = unsafe before - (reach > 1 ? width : 0)
        let known: UInt64 = reach > 0 ? .max : 0
        var position = end
        for pair in 0..<width / 2 {
            var both: UInt8 = 0
            for column in 2 * pair..<2 * pair + 2 {
                let last = unsafe before[column].load(ordering: .relaxed) & known
                let lastButOne = unsafe earlier[column].load(ordering: .relaxed) & known
                let value = unsafe cells[column].load(ordering: .relaxed)
                both = unsafe both >> 4 | encode(value, last, lastButOne, output, &position) << 4
            }
            unsafe output.storeBytes(of: both, toByteOffset: codes + pair, as: UInt8.self)
        }
        end = position
    }

    /// Writes a row in which some slots have no value, or had none before.
    private static func encodeSparse(
        _ block: ActiveChunk.Block, _ row: Int, _ cells: AtomicWords, codes: Int, _ output: UnsafeMutableRawPointer,
        _ end: inout Int
    ) {
        let width = unsafe block.width
        var index = 0
        var low: UInt8 = 0
        for column in 0..<width {
            let mask = unsafe block.masks[column].load(ordering: .relaxed) << RowMask(highest - row)
            if mask >> RowMask(highest) == 0 { continue }
            let before =
                unsafe mask >> RowMask(highest - 1) & 1 == 0 ? 0 : cells[column - width].load(ordering: .relaxed)
            let earlier =
                unsafe mask >> RowMask(highest - 2) & 3 == 3
                ? cells[column - 2 * width].load(ordering: .relaxed) : before
            let code = unsafe encode(cells[column].load(ordering: .relaxed), before, earlier, output, &end)
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
                byte |= UInt8(truncatingIfNeeded: mask >> RowMask(row) & 1) << UInt8(bit)
            }
            unsafe output.storeBytes(of: byte, toByteOffset: end, as: UInt8.self)
            end += 1
        }
    }

    /// Writes the data of one value and returns its code.
    ///
    /// The code of an integer varies from value to value, so it is selected without a branch.
    @inline(__always)
    private static func encode(
        _ value: UInt64, _ before: UInt64, _ earlier: UInt64, _ output: UnsafeMutableRawPointer, _ end: inout Int
    ) -> UInt8 {
        if let present = whole(value) {
            let last = whole(before) ?? 0
            let step = present &- last
            let folded = zigzag(step)
            let change = zigzag(step &- (last &- (whole(earlier) ?? last)))
            let length = (71 - (folded | 1).leadingZeroBitCount) >> 3
            let changeLength = (71 - (change | 1).leadingZeroBitCount) >> 3
            if length <= 4 {
                let isChange = changeLength < min(length, 3)
                let data = isChange ? change : folded
                let code = isChange ? 7 + changeLength : 3 + length
                let count = isChange ? changeLength : length
                let isInCode = change < 3
                let isSame = value == before
                unsafe output.storeBytes(of: data.littleEndian, toByteOffset: end, as: UInt64.self)
                end += isInCode || isSame ? 0 : count
                return UInt8(truncatingIfNeeded: isSame ? 0 : isInCode ? 1 + Int(change) : code)
            }
        }
        if value == before { return 0 }
        let difference = value ^ before
        let length = max(3, (71 - difference.leadingZeroBitCount) / 8)
        unsafe output.storeBytes(of: difference.littleEndian, toByteOffset: end, as: UInt64.self)
        end += length
        return 7 + UInt8(truncatingIfNeeded: length)
    }

    // MARK: Decoding

    /// Decodes a row written by `encode` into `block`, which contains the previous rows. Returns whether the bytes are
    /// valid; invalid ones leave the block unchanged.
    static func decode(
        _ input: UnsafeRawBufferPointer, _ offset: inout Int, into block: ActiveChunk.Block, row: Int
    ) -> Bool {
        guard offset < input.count else { return false }
        let kind = unsafe input[offset]
        offset += 1
        return unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 4) { present in
            guard let count = unsafe readPresence(kind, input, &offset, block, row, present) else { return false }
            let codes = offset
            offset += (count + 1) / 2
            guard offset <= input.count, unsafe hasData(input, codes, count, at: offset) else { return false }
            var index = 0
            for word in present.indices {
                var rest = unsafe present[word]
                while rest != 0 {
                    let column = 64 * word + rest.trailingZeroBitCount
                    rest &= rest - 1
                    unsafe decode(code(input, codes, index), input, &offset, block, row, column)
                    index += 1
                }
            }
            return true
        }
    }

    /// Whether the input contains the data of `count` values.
    private static func hasData(_ input: UnsafeRawBufferPointer, _ codes: Int, _ count: Int, at offset: Int) -> Bool {
        if 8 * count <= input.count - offset { return true }
        var length = 0
        for index in 0..<count { unsafe length += Self.length(code(input, codes, index)) }
        return length <= input.count - offset
    }

    @inline(__always)
    private static func code(_ input: UnsafeRawBufferPointer, _ codes: Int, _ index: Int) -> UInt8 {
        unsafe input[codes + index / 2] >> UInt8(4 * (index & 1)) & 15
    }

    /// The slots with a value, one bit each, and their number; `nil` for invalid bytes.
    private static func readPresence(
        _ kind: UInt8, _ input: UnsafeRawBufferPointer, _ offset: inout Int, _ block: ActiveChunk.Block, _ row: Int,
        _ present: UnsafeMutableBufferPointer<UInt64>
    ) -> Int? {
        let width = unsafe block.width
        for word in present.indices { unsafe present[word] = 0 }
        switch kind {
        case Presence.none: break
        case Presence.all:
            for word in 0..<(width + 63) / 64 { unsafe present[word] = width >= 64 ? .max : 1 << UInt64(width) - 1 }
        case Presence.asBefore where row > 0:
            for column in 0..<width {
                let mask = unsafe block.masks[column].load(ordering: .relaxed)
                unsafe present[column / 64] |= UInt64(mask >> RowMask(row - 1) & 1) << UInt64(column % 64)
            }
        case Presence.bitmap where offset + width / 8 <= input.count:
            for byte in 0..<width / 8 {
                unsafe present[byte / 8] |= UInt64(input[offset + byte]) << UInt64(8 * (byte % 8))
            }
            offset += width / 8
        default: return nil
        }
        return unsafe present.reduce(0) { $0 + $1.nonzeroBitCount }
    }

    /// Reads one value. The caller has checked the length.
    @inline(__always)
    private static func decode(
        _ code: UInt8, _ input: UnsafeRawBufferPointer, _ offset: inout Int, _ block: ActiveChunk.Block, _ row: Int,
        _ column: Int
    ) {
        let width = unsafe block.width
        let mask = unsafe block.masks[column].load(ordering: .relaxed)
        // As in encoding: the previous rows in the highest bits.
        let before = (mask &<< RowMask(highest - row)) &<< 1
        let cell = unsafe block.values + row * width + column
        let last = unsafe before >> RowMask(highest) == 0 ? 0 : cell[-width].load(ordering: .relaxed)
        let lastButOne = unsafe before >> RowMask(highest - 1) == 3 ? cell[-2 * width].load(ordering: .relaxed) : last
        let length = length(code)
        var data: UInt64 = 0
        if offset + 8 <= input.count {
            let word = unsafe UInt64(littleEndian: input.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            // In two steps, because a shift by 64 does nothing.
            data = word & ~((~0 &<< UInt64(4 * length)) &<< UInt64(4 * length))
        } else {
            for index in 0..<length { unsafe data |= UInt64(input[offset + index]) << UInt64(8 * index) }
        }
        offset += length
        unsafe cell.pointee.store(value(code, data, last, lastButOne), ordering: .relaxed)
        unsafe block.masks[column].store(mask | 1 &<< RowMask(row), ordering: .relaxed)
    }

    /// The codes that are steps, one bit each, and those that are relative to the previous step.
    private static let steps: UInt16 = 0b11_1111_1110
    private static let changes: UInt16 = 0b11_0000_1110
    /// The number of data bytes of each code, 4 bits each.
    private static let additions: UInt64 = 0x2100

    /// The value of a code. Both kinds are computed and one is selected, because a branch could not be predicted.
    @inline(__always)
    private static func value(_ code: UInt8, _ data: UInt64, _ before: UInt64, _ earlier: UInt64) -> UInt64 {
        let last = wholeOrZero(before)
        let earlier = wholeOrZero(earlier, or: last)
        let step = (last &- earlier) & -Int64(changes &>> UInt16(code) & 1)
        let sum = last &+ step &+ unzigzag(data &+ additions &>> UInt64(4 * code) & 15)
        let isStep = UInt64(bitPattern: -Int64(steps &>> UInt16(code) & 1))
        return Double(sum).bitPattern & isStep | (before ^ data) & ~isStep
    }

    /// ``whole(_:)`` without a branch.
    @inline(__always)
    private static func wholeOrZero(_ bits: UInt64, or other: Int64 = 0) -> Int64 {
        let value = Double(bitPattern: bits)
        let magic = 0x1.8p52
        let sum = value + magic
        let isWhole = value.magnitude < 0x1p51 && (sum - magic).bitPattern == bits
        return isWhole ? Int64(bitPattern: sum.bitPattern &- magic.bitPattern) : other
    }
}
