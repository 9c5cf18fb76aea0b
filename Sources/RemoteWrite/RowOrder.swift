/// Sorts samples into the rows of lanes: by lane, then by time, samples of one row in their order.
enum RowOrder {
    /// The number of bits that one pass sorts by.
    private static let digitBits = 11

    /// The order in which the samples with these lanes and times are stored; `nil` if it is their own.
    ///
    /// - Complexity: linear, with one pass for each 11 bits in which lanes and times differ.
    static func of(lanes: [Int32], times: [Int64]) -> [Int32]? {
        guard let firstTime = times.min(), let lastTime = times.max(), let lastLane = lanes.max() else { return nil }
        let isOrdered = lanes.indices.dropFirst().allSatisfy {
            (lanes[$0 - 1], times[$0 - 1]) <= (lanes[$0], times[$0])
        }
        if isOrdered { return nil }
        let timeRange = UInt64(bitPattern: lastTime &- firstTime)
        let timeBits = UInt64.bitWidth - timeRange.leadingZeroBitCount
        let bits = timeBits + Int32.bitWidth - lastLane.leadingZeroBitCount
        guard bits <= UInt64.bitWidth else {
            // Times that are hundreds of millions of years apart.
            return lanes.indices.sorted {
                (lanes[$0], times[$0], $0) < (lanes[$1], times[$1], $1)
            }.map { Int32($0) }
        }
        let keys = lanes.indices.map {
            UInt64(UInt32(lanes[$0])) << UInt64(timeBits) | UInt64(bitPattern: times[$0] &- firstTime)
        }
        var order = keys.indices.map { Int32($0) }
        var sorted = order
        for shift in stride(from: 0, to: bits, by: digitBits) {
            sortPass(keys, order, into: &sorted, shift: UInt64(shift))
            swap(&order, &sorted)
        }
        return order
    }

    /// A stable sort of `order` by one digit of the keys.
    private static func sortPass(_ keys: [UInt64], _ order: [Int32], into sorted: inout [Int32], shift: UInt64) {
        let mask: UInt64 = 1 << UInt64(digitBits) - 1
        var ends = [Int32](repeating: 0, count: 1 << digitBits + 1)
        for key in keys { ends[Int(key >> shift & mask) + 1] += 1 }
        for digit in 1..<ends.count { ends[digit] += ends[digit - 1] }
        for index in order {
            let digit = Int(keys[Int(index)] >> shift & mask)
            sorted[Int(ends[digit])] = index
            ends[digit] += 1
        }
    }
}
