internal import MetricModel

/// The values of one slot in the rows of a stretch, as bytes. Every bit pattern is preserved.
///
/// ```
/// head         kind (2 bits), gaps follow, exceptions follow, power of ten (4 bits)
/// gaps         0 and a bit per row that has a sample; or 1, a count, and the lengths of runs of rows with and without
///              one, in turns (varints). Omitted if every row has a sample
/// exceptions   a count; of each, samples since the previous one (varints) and the bits. Their places in the body
///              repeat the value before
/// body         constant: the bits of the value
///              decimal:  values multiplied by 10^power (``StepFrames``)
///              bits:     the first value, then frames of up to 64 exclusive-ors with the value before: zeros at the
///                        end (1 byte), bits per value (1 byte), the bits
/// ```
/// Staleness markers, NaNs and other values that are no decimals are exceptions, unless there are many.
@safe package enum SeriesCodec {
    /// The maximum number of rows.
    package static let mostRows = 1 << 11

    enum Kind: UInt8 {
        case constant = 0
        case decimal = 1
        case bits = 2
    }

    static let hasGaps: UInt8 = 4
    static let hasExceptions: UInt8 = 8
    static let bitFrame = 64

    /// Appends the encoding of the rows in `masks`, of `rowCount` rows. Appends nothing if no row is present.
    ///
    /// - Parameters:
    ///   - values: the bits of one value per row; rows that are not in `masks` are ignored.
    ///   - masks: a bit for each row with a sample, 16 rows each.
    package static func encode(
        _ values: UnsafePointer<UInt64>, _ masks: UnsafePointer<RowMask>, rowCount: Int, to bytes: inout [UInt8]
    ) {
        unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: rowCount) { packed in
            var count = 0
            for row in 0..<rowCount where unsafe isPresent(row, masks) {
                unsafe packed[count] = values[row]
                count += 1
            }
            guard count > 0 else { return }
            let head = bytes.count
            bytes.append(0)
            if count < rowCount {
                bytes[head] |= hasGaps
                unsafe appendGaps(masks, rowCount, &bytes)
            }
            unsafe bytes[head] |= encode(UnsafeBufferPointer(rebasing: packed[..<count]), &bytes)
        }
    }

    @inline(__always)
    private static func isPresent(_ row: Int, _ masks: UnsafePointer<RowMask>) -> Bool {
        unsafe masks[row / RowMask.bitWidth] >> RowMask(row % RowMask.bitWidth) & 1 != 0
    }

    private static func appendGaps(_ masks: UnsafePointer<RowMask>, _ rowCount: Int, _ bytes: inout [UInt8]) {
        var runs: [Int] = [0]
        var wasPresent = true
        for row in 0..<rowCount {
            let isPresent = unsafe isPresent(row, masks)
            if isPresent != wasPresent { runs.append(0) }
            runs[runs.count - 1] += 1
            wasPresent = isPresent
        }
        let length = runs.reduce(2) { $0 + ($1 < 128 ? 1 : 2) }
        if length < (rowCount + 7) / 8 {
            bytes.append(1)
            bytes.append(unsigned: UInt64(runs.count))
            for run in runs { bytes.append(unsigned: UInt64(run)) }
        } else {
            bytes.append(0)
            for index in 0..<(rowCount + 7) / 8 {
                unsafe bytes.append(UInt8(truncatingIfNeeded: masks[index / 2] >> RowMask(index % 2 * 8)))
            }
        }
    }

    /// Appends exceptions and body. Returns the bits of the head.
    private static func encode(_ values: UnsafeBufferPointer<UInt64>, _ bytes: inout [UInt8]) -> UInt8 {
        let first = unsafe values[0]
        let isConstant = unsafe values.allSatisfy { $0 == first }
        let start = bytes.count
        let decimal = unsafe withUnsafeTemporaryAllocation(of: Int64.self, capacity: values.count) { integers in
            unsafe appendDecimals(values, integers, &bytes)
        }
        if isConstant {
            if let decimal, decimal & hasExceptions == 0, bytes.count - start < 8 { return decimal }
            bytes.removeSubrange(start...)
            bytes.append(word: first)
            return Kind.constant.rawValue
        }
        // Decimals of more than five bytes have so many digits that the bits may be shorter.
        if let decimal, bytes.count - start <= 5 * values.count { return decimal }
        let end = bytes.count
        unsafe appendBits(values, &bytes)
        if let decimal, end - start <= bytes.count - end {
            bytes.removeSubrange(end...)
            return decimal
        }
        bytes.removeSubrange(start..<end)
        return Kind.bits.rawValue
    }

    /// Appends exceptions and decimals, and returns the head, unless too many values are no decimals.
    private static func appendDecimals(
        _ values: UnsafeBufferPointer<UInt64>, _ integers: UnsafeMutableBufferPointer<Int64>, _ bytes: inout [UInt8]
    ) -> UInt8? {
        let most = values.count / 16 + 1
        var power = 0
        var exceptions = 0
        for index in values.indices {
            let value = unsafe Double(bitPattern: values[index])
            if DecimalScale.exactInteger(value, power) != nil { continue }
            if let higher = (power + 1..<max(power + 1, DecimalScale.powers.count)).first(where: {
                DecimalScale.exactInteger(value, $0) != nil
            }) {
                power = higher
            } else {
                exceptions += 1
                if exceptions > most { return nil }
            }
        }
        // At a higher power a value with many digits may not be exact any more.
        var places: [Int] = []
        var last: Int64 = 0
        for index in values.indices {
            if let integer = DecimalScale.exactInteger(unsafe Double(bitPattern: values[index]), power) {
                last = integer
            } else {
                places.append(index)
                if places.count > most { return nil }
            }
            unsafe integers[index] = last
        }
        if places.count == values.count { return nil }
        // Exceptions at the front repeat the first decimal.
        var leading = 0
        while leading < places.count, places[leading] == leading { leading += 1 }
        for index in 0..<leading { unsafe integers[index] = integers[leading] }
        var head = Kind.decimal.rawValue | UInt8(power) << 4
        if !places.isEmpty {
            head |= hasExceptions
            bytes.append(unsigned: UInt64(places.count))
            var next = 0
            for place in places {
                bytes.append(unsigned: UInt64(place - next))
                unsafe bytes.append(word: values[place])
                next = place + 1
            }
        }
        unsafe StepFrames.encode(UnsafeBufferPointer(integers), orders: 0...1, to: &bytes)
        return head
    }

    private static func appendBits(_ values: UnsafeBufferPointer<UInt64>, _ bytes: inout [UInt8]) {
        unsafe bytes.append(word: values[0])
        unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: bitFrame) { frame in
            var start = 1
            while start < values.count {
                let count = min(bitFrame, values.count - start)
                var all: UInt64 = 0
                for index in 0..<count {
                    unsafe frame[index] = values[start + index] ^ values[start + index - 1]
                    unsafe all |= frame[index]
                }
                let shift = all == 0 ? 0 : all.trailingZeroBitCount
                let width = BitPacking.width(64 - (all >> UInt64(shift)).leadingZeroBitCount)
                let used = width == 64 ? 0 : shift
                for index in 0..<count { unsafe frame[index] >>= UInt64(used) }
                bytes.append(UInt8(used))
                bytes.append(UInt8(width))
                unsafe BitPacking.append(UnsafeBufferPointer(rebasing: frame[..<count]), width: width, to: &bytes)
                start += count
            }
        }
    }
}
