/// The series that have a label pair, in the order in which they came: a series' id takes a byte or two, since series that
/// share a label are mostly made one after the other.
///
/// ```
/// first id     kept apart, so that a pair that only one series has needs no memory of its own
/// bytes        the steps from each id to the next, as zigzag varints
/// ```
struct PostingList {
    private var first: UInt32 = 0
    private var last: UInt32 = 0
    private(set) var count: UInt32 = 0
    private var bytes: [UInt8] = []

    var isEmpty: Bool { count == 0 }

    /// Adds a series, which must not be there yet.
    mutating func append(_ series: UInt32) {
        defer {
            last = series
            count += 1
        }
        if count == 0 {
            first = series
            return
        }
        let step = Int64(series) - Int64(last)
        var rest = UInt64(bitPattern: step << 1 ^ step >> 63)
        // Not doubled: there are many lists, and half of each would lie idle.
        if bytes.capacity < bytes.count + 5 { bytes.reserveCapacity(bytes.count + bytes.count / 4 + 8) }
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
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

    /// Forgets the series for which `isGone` holds.
    mutating func removeAll(where isGone: (UInt32) -> Bool) {
        var all: [UInt32] = []
        append(to: &all)
        guard all.contains(where: isGone) else { return }
        self = PostingList()
        for series in all where !isGone(series) { append(series) }
    }
}
