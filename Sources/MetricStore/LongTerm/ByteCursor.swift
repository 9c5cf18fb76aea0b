/// Reads bytes of a file in order, and never past their end. A read past the end fails.
///
/// The caller keeps the bytes alive; ``BitPacking/slack`` more bytes after them must be readable.
@unsafe package struct ByteCursor {
    private let base: UnsafeRawPointer
    private(set) var offset: Int
    let end: Int

    /// The bytes from `base` on.
    package init(_ base: UnsafeRawPointer, count: Int) {
        unsafe self.base = unsafe base
        unsafe offset = 0
        unsafe end = count
    }

    var rest: Int { unsafe end - offset }

    mutating func byte() -> UInt8? {
        guard unsafe offset < end else { return nil }
        defer { unsafe offset += 1 }
        return unsafe base.load(fromByteOffset: offset, as: UInt8.self)
    }

    mutating func word() -> UInt64? {
        guard unsafe rest >= 8 else { return nil }
        defer { unsafe offset += 8 }
        return unsafe UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    mutating func varint() -> UInt64? {
        var result: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard let byte = unsafe byte() else { return nil }
            result |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return result }
        }
        return nil
    }

    mutating func zigzag() -> Int64? {
        guard let folded = unsafe varint() else { return nil }
        return Int64(bitPattern: folded >> 1) ^ -Int64(bitPattern: folded & 1)
    }

    /// The next `count` bytes.
    mutating func take(_ count: Int) -> UnsafeRawPointer? {
        guard count >= 0, unsafe rest >= count else { return nil }
        defer { unsafe offset += count }
        return unsafe base + offset
    }
}

extension [UInt8] {
    mutating func append(word: UInt64) {
        for shift in stride(from: UInt64(0), to: 64, by: 8) { append(UInt8(truncatingIfNeeded: word >> shift)) }
    }

    mutating func append(unsigned value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }

    mutating func append(zigzag value: Int64) {
        append(unsigned: UInt64(bitPattern: value << 1 ^ value >> 63))
    }
}

/// Numbers of the same width, one after the other, the lowest bit first.
@safe package enum BitPacking {
    /// Bytes after the end that unpacking may load, but not use.
    package static let slack = 8
    /// The widest numbers that one load can read at any bit; wider ones take 64 bits.
    static let widest = 56

    /// The width in which a number with this many bits is packed.
    static func width(_ bits: Int) -> Int { bits > widest ? 64 : bits }

    static func byteCount(_ count: Int, width: Int) -> Int { (count * width + 7) / 8 }

    /// Appends the numbers, each smaller than 2^`width`.
    static func append(_ numbers: UnsafeBufferPointer<UInt64>, width: Int, to bytes: inout [UInt8]) {
        if width == 64 {
            for index in numbers.indices { unsafe bytes.append(word: numbers[index]) }
            return
        }
        var pending: UInt64 = 0
        var pendingBits = 0
        for index in numbers.indices {
            unsafe pending |= numbers[index] << UInt64(pendingBits)
            pendingBits += width
            while pendingBits >= 8 {
                bytes.append(UInt8(truncatingIfNeeded: pending))
                pending >>= 8
                pendingBits -= 8
            }
        }
        if pendingBits > 0 { bytes.append(UInt8(truncatingIfNeeded: pending)) }
    }

    /// Calls `body` with each of `count` numbers. ``BitPacking/slack`` bytes after them must be readable.
    @inline(__always)
    static func forEach(_ input: UnsafeRawPointer, _ count: Int, width: Int, _ body: (Int, UInt64) -> Void) {
        if width == 64 {
            for index in 0..<count {
                body(
                    index,
                    unsafe UInt64(littleEndian: input.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self)))
            }
            return
        }
        let mask: UInt64 = (1 << UInt64(width)) - 1
        var bit = 0
        for index in 0..<count {
            let word = unsafe UInt64(
                littleEndian: input.loadUnaligned(fromByteOffset: bit >> 3, as: UInt64.self))
            body(index, word >> UInt64(bit & 7) & mask)
            bit += width
        }
    }
}
