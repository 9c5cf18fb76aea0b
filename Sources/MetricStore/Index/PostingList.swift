/// The series that have a label pair, in the order in which they were added. An id takes a byte or two, because series
/// that share a label are usually created one after the other.
///
/// ```
/// first id     stored inline: a pair with only one series needs no heap memory
/// bytes        the steps from each id to the next, as zigzag varints
/// ```
struct PostingList {
    var first: UInt32 = 0
    var last: UInt32 = 0
    var count: UInt32 = 0
    var bytes: [UInt8] = []

    var isEmpty: Bool { count == 0 }

    /// Adds a series, which must not be in the list.
    mutating func append(_ series: UInt32) {
        defer {
            last = series
            count += 1
        }
        if count == 0 {
            first = series
            return
        }
        var rest = Self.zigzag(from: last, to: series)
        // Capacity is not doubled: there are many lists, and half of each would be unused.
        if bytes.capacity < bytes.count + 5 { bytes.reserveCapacity(bytes.count + bytes.count / 4 + 8) }
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// The number of bytes of the step from `series` to `next`.
    static func size(ofStepFrom series: UInt32, to next: UInt32) -> Int {
        max(1, (70 - zigzag(from: series, to: next).leadingZeroBitCount) / 7)
    }

    /// Writes the step from `series` to `next` and returns its length in bytes.
    static func write(stepFrom series: UInt32, to next: UInt32, _ output: UnsafeMutablePointer<UInt8>) -> Int {
        var rest = zigzag(from: series, to: next)
        var count = 0
        while rest >= 0x80 {
            unsafe output[count] = UInt8(truncatingIfNeeded: rest) | 0x80
            rest >>= 7
            count += 1
        }
        unsafe output[count] = UInt8(rest)
        return count + 1
    }

    private static func zigzag(from series: UInt32, to next: UInt32) -> UInt64 {
        let step = Int64(next) - Int64(series)
        return UInt64(bitPattern: step << 1 ^ step >> 63)
    }

    /// Appends `count` series. The steps after the first one are already encoded.
    mutating func append(first: UInt32, last: UInt32, count: UInt32, steps: UnsafeBufferPointer<UInt8>) {
        append(first)
        guard count > 1 else { return }
        bytes.reserveCapacity(bytes.count + steps.count)
        unsafe bytes.append(contentsOf: steps)
        self.last = last
        self.count += count - 1
    }

    /// Appends all series to `output`.
    func append(to output: inout [UInt32]) {
        guard count > 0 else { return }
        output.append(first)
        var series = Int64(first)
        var (step, shift): (UInt64, UInt64) = (0, 0)
        for byte in bytes {
            step |= UInt64(byte & 0x7f) << shift
            shift += 7
            if byte >= 0x80 { continue }
            series += Int64(bitPattern: step >> 1) ^ -Int64(bitPattern: step & 1)
            output.append(UInt32(truncatingIfNeeded: series))
            (step, shift) = (0, 0)
        }
    }

    /// Removes the series for which `isGone` returns true.
    mutating func removeAll(where isGone: (UInt32) -> Bool) {
        var all: [UInt32] = []
        append(to: &all)
        guard all.contains(where: isGone) else { return }
        self = PostingList()
        for series in all where !isGone(series) { append(series) }
    }
}
