extension SeriesCodec {
    /// Decodes one value per row. Bytes that `encode` has not written give some values or fail; they never trap.
    ///
    /// - Parameters:
    ///   - input: the encoding, or no bytes for a slot without samples.
    ///   - end: the row after the last one whose value is needed; later values may be undefined.
    ///   - values: room for `rowCount` values; those of rows without a sample are undefined afterwards.
    ///   - masks: room for a mask per 16 rows; set to the rows that have a sample.
    /// - Returns: whether the bytes were valid.
    package static func decode(
        _ input: ByteCursor, rowCount: Int, through end: Int = .max, into values: UnsafeMutablePointer<UInt64>,
        _ masks: UnsafeMutablePointer<RowMask>
    ) -> Bool {
        var input = unsafe input
        let groups = (rowCount + RowMask.bitWidth - 1) / RowMask.bitWidth
        guard unsafe input.rest > 0 else {
            unsafe masks.update(repeating: 0, count: groups)
            return true
        }
        guard let head = unsafe input.byte() else { return false }
        for group in 0..<groups { unsafe masks[group] = ColumnCodec.everyRow(rowCount - group * RowMask.bitWidth) }
        var count = rowCount
        if head & hasGaps != 0 {
            guard let present = unsafe readGaps(&input, rowCount, masks) else { return false }
            count = present
        }
        var wanted = count
        if end < rowCount { wanted = unsafe samples(before: end, masks) }
        guard count > 0, unsafe decodeBody(&input, head, count, wanted, values),
            unsafe wanted < count || input.rest == 0
        else { return false }
        if count < rowCount { unsafe spread(values, count, rowCount, masks) }
        return true
    }

    /// The number of samples in the rows before `end`.
    private static func samples(before end: Int, _ masks: UnsafePointer<RowMask>) -> Int {
        let group = end / RowMask.bitWidth
        let whole = (0..<group).reduce(0) { unsafe $0 + masks[$1].nonzeroBitCount }
        let rest = end % RowMask.bitWidth
        return unsafe whole + (rest == 0 ? 0 : (masks[group] & ColumnCodec.everyRow(rest)).nonzeroBitCount)
    }

    /// The number of rows present.
    private static func readGaps(
        _ input: inout ByteCursor, _ rowCount: Int, _ masks: UnsafeMutablePointer<RowMask>
    ) -> Int? {
        let groups = (rowCount + RowMask.bitWidth - 1) / RowMask.bitWidth
        guard let form = unsafe input.byte(), form <= 1 else { return nil }
        if form == 0 {
            guard let bytes = unsafe input.take((rowCount + 7) / 8) else { return nil }
            var count = 0
            for group in 0..<groups {
                var mask = unsafe RowMask(bytes.load(fromByteOffset: 2 * group, as: UInt8.self))
                if 2 * group + 1 < (rowCount + 7) / 8 {
                    unsafe mask |= RowMask(bytes.load(fromByteOffset: 2 * group + 1, as: UInt8.self)) << 8
                }
                unsafe masks[group] &= mask
                unsafe count += masks[group].nonzeroBitCount
            }
            return count
        }
        guard let runs = unsafe input.varint(), runs <= rowCount + 1 else { return nil }
        unsafe masks.update(repeating: 0, count: groups)
        var row = 0
        var count = 0
        for run in 0..<runs {
            guard let length = unsafe input.varint(), length <= UInt64(rowCount - row) else { return nil }
            if run % 2 == 0 {
                for present in row..<row + Int(length) {
                    unsafe masks[present / RowMask.bitWidth] |= 1 << RowMask(present % RowMask.bitWidth)
                }
                count += Int(length)
            }
            row += Int(length)
        }
        return row == rowCount ? count : nil
    }

    private static func decodeBody(
        _ input: inout ByteCursor, _ head: UInt8, _ count: Int, _ wanted: Int, _ values: UnsafeMutablePointer<UInt64>
    ) -> Bool {
        guard let kind = Kind(rawValue: head & 3) else { return false }
        switch kind {
        case .constant:
            guard let value = unsafe input.word() else { return false }
            unsafe values.update(repeating: value, count: count)
            return true
        case .decimal:
            return unsafe decodeDecimals(&input, head, count, wanted, values)
        case .bits:
            return unsafe decodeBits(&input, count, wanted, values)
        }
    }

    private static func decodeDecimals(
        _ input: inout ByteCursor, _ head: UInt8, _ count: Int, _ wanted: Int, _ values: UnsafeMutablePointer<UInt64>
    ) -> Bool {
        var exceptions: [(place: Int, bits: UInt64)] = []
        if head & hasExceptions != 0 {
            guard let most = unsafe input.varint(), most <= count else { return false }
            var next = 0
            for _ in 0..<most {
                guard let gap = unsafe input.varint(), gap < UInt64(count - next), let bits = unsafe input.word() else {
                    return false
                }
                exceptions.append((next + Int(gap), bits))
                next += Int(gap) + 1
            }
        }
        let isValid = unsafe values.withMemoryRebound(to: Int64.self, capacity: count) { integers in
            unsafe StepFrames.decode(&input, count: count, wanted: wanted, into: integers)
        }
        guard isValid else { return false }
        let power = Int(head >> 4)
        if power == 0 {
            for index in 0..<wanted {
                unsafe values[index] = Double(Int64(bitPattern: values[index])).bitPattern
            }
        } else {
            // A product with the inverse is not exact.
            let scale = DecimalScale.powers[power]
            for index in 0..<wanted {
                unsafe values[index] = (Double(Int64(bitPattern: values[index])) / scale).bitPattern
            }
        }
        for (place, bits) in exceptions { unsafe values[place] = bits }
        return true
    }

    private static func decodeBits(
        _ input: inout ByteCursor, _ count: Int, _ wanted: Int, _ values: UnsafeMutablePointer<UInt64>
    ) -> Bool {
        guard let first = unsafe input.word() else { return false }
        unsafe values[0] = first
        var last = first
        var start = 1
        while start < min(count, wanted) {
            let inFrame = min(bitFrame, count - start)
            guard let shift = unsafe input.byte(), shift < 64, let width = unsafe input.byte().map(Int.init),
                width <= BitPacking.widest || width == 64,
                let packed = unsafe input.take(BitPacking.byteCount(inFrame, width: width))
            else { return false }
            let target = unsafe values + start
            unsafe BitPacking.forEach(packed, inFrame, width: width) { index, bits in
                last ^= bits << UInt64(shift)
                unsafe target[index] = last
            }
            start += inFrame
        }
        return true
    }

    /// Moves `count` values from the front to their rows. Starts with the last, so that none is overwritten before it
    /// is read.
    private static func spread(
        _ values: UnsafeMutablePointer<UInt64>, _ count: Int, _ rowCount: Int, _ masks: UnsafePointer<RowMask>
    ) {
        var source = count
        var group = (rowCount - 1) / RowMask.bitWidth
        while group >= 0 {
            var rest = unsafe masks[group]
            while rest != 0 {
                let row = RowMask.bitWidth - 1 - rest.leadingZeroBitCount
                rest &= ~(1 << RowMask(row))
                source -= 1
                unsafe values[group * RowMask.bitWidth + row] = values[source]
            }
            group -= 1
        }
    }
}
