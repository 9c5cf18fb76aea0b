/// A sequence of whole numbers as bytes: the numbers themselves, the steps between them, or the changes of the steps,
/// packed in frames.
///
/// ```
/// head     order (2 bits): 0 numbers, 1 steps, 2 changes of steps; size of a frame (2 bits)
/// start    the first number, and with changes of steps the first step (zigzag varint)
/// frames   each: bits per number (1 byte, at most 56, or 64), the smallest number (zigzag varint, unless 64 bits),
///          what the numbers are above it
/// ```
/// The encoder takes the shortest of the orders that it may use, with frames of 64, 256 or 1024. Steps are computed
/// modulo 2^64, so every sequence can be encoded.
@safe enum StepFrames {
    /// The longest sequence.
    static let longest = 1 << 12
    private static let sizes = [64, 256, 1024]

    /// Appends the encoding of `numbers`, one at least.
    static func encode(_ numbers: UnsafeBufferPointer<Int64>, orders: ClosedRange<Int>, to bytes: inout [UInt8]) {
        var best = (order: 0, size: 0, cost: Int.max)
        unsafe withUnsafeTemporaryAllocation(of: Int64.self, capacity: numbers.count) { rest in
            unsafe _ = rest.initialize(from: numbers)
            for order in 0...orders.upperBound where order < max(numbers.count, 1) {
                if order > 0 { unsafe differentiate(rest, from: order) }
                guard orders.contains(order) else { continue }
                let start = (0..<order).reduce(0) { unsafe $0 + length(rest[$1]) }
                let (size, cost) = unsafe plan(UnsafeBufferPointer(rebasing: rest[order...]))
                if start + cost < best.cost { best = (order, size, start + cost) }
            }
            unsafe _ = rest.update(from: numbers)
            for order in 0..<best.order { unsafe differentiate(rest, from: order + 1) }
            bytes.append(UInt8(best.order | best.size << 2))
            for index in 0..<best.order { unsafe bytes.append(zigzag: rest[index]) }
            unsafe append(UnsafeBufferPointer(rebasing: rest[best.order...]), Self.sizes[best.size], &bytes)
        }
    }

    /// Replaces each number from `first` on by its difference to the previous one. Numbers before stay.
    private static func differentiate(_ numbers: UnsafeMutableBufferPointer<Int64>, from first: Int) {
        var index = numbers.count - 1
        while index >= first {
            unsafe numbers[index] = numbers[index] &- numbers[index - 1]
            index -= 1
        }
    }

    /// The best size of frames, and about how many bytes they take.
    private static func plan(_ numbers: UnsafeBufferPointer<Int64>) -> (size: Int, cost: Int) {
        var costs = [0, 0, 0]
        var open: [(low: Int64, high: Int64, count: Int)] = Array(repeating: (.max, .min, 0), count: 3)
        var start = 0
        while start < numbers.count {
            let end = min(start + sizes[0], numbers.count)
            var (low, high) = (Int64.max, Int64.min)
            for index in start..<end {
                low = unsafe min(low, numbers[index])
                high = unsafe max(high, numbers[index])
            }
            for size in sizes.indices {
                open[size] = (min(open[size].low, low), max(open[size].high, high), open[size].count + end - start)
                if open[size].count >= sizes[size] || end == numbers.count {
                    costs[size] += cost(open[size])
                    open[size] = (.max, .min, 0)
                }
            }
            start = end
        }
        let size = costs.indices.min { costs[$0] < costs[$1] } ?? 0
        return (size, costs[size])
    }

    private static func cost(_ frame: (low: Int64, high: Int64, count: Int)) -> Int {
        let width = width(frame.low, frame.high)
        return 1 + (width == 64 ? 0 : length(frame.low)) + BitPacking.byteCount(frame.count, width: width)
    }

    private static func width(_ low: Int64, _ high: Int64) -> Int {
        BitPacking.width(64 - UInt64(bitPattern: high &- low).leadingZeroBitCount)
    }

    private static func length(_ value: Int64) -> Int {
        max(1, (70 - UInt64(bitPattern: value << 1 ^ value >> 63).leadingZeroBitCount) / 7)
    }

    private static func append(_ numbers: UnsafeBufferPointer<Int64>, _ size: Int, _ bytes: inout [UInt8]) {
        unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: size) { above in
            var start = 0
            while start < numbers.count {
                let count = min(size, numbers.count - start)
                var (low, high) = (Int64.max, Int64.min)
                for index in start..<start + count {
                    low = unsafe min(low, numbers[index])
                    high = unsafe max(high, numbers[index])
                }
                let width = width(low, high)
                if width == 64 { low = 0 }
                for index in 0..<count {
                    unsafe above[index] = UInt64(bitPattern: numbers[start + index] &- low)
                }
                bytes.append(UInt8(width))
                if width < 64 { bytes.append(zigzag: low) }
                unsafe BitPacking.append(UnsafeBufferPointer(rebasing: above[..<count]), width: width, to: &bytes)
                start += count
            }
        }
    }

    /// Decodes the first `wanted` of `count` numbers, and maybe more. Returns whether the bytes were valid.
    static func decode(
        _ input: inout ByteCursor, count: Int, wanted: Int, into numbers: UnsafeMutablePointer<Int64>
    ) -> Bool {
        guard let head = unsafe input.byte(), head & 3 < 3, head >> 2 < sizes.count else { return false }
        let order = Int(head & 3)
        let size = sizes[Int(head >> 2)]
        guard count > order || order == 0 else { return false }
        for index in 0..<order {
            guard let start = unsafe input.zigzag() else { return false }
            unsafe numbers[index] = start
        }
        var start = order
        while start < min(count, wanted) {
            let inFrame = min(size, count - start)
            guard let width = unsafe input.byte().map(Int.init), width <= BitPacking.widest || width == 64,
                let low = unsafe width == 64 ? 0 : input.zigzag(),
                let packed = unsafe input.take(BitPacking.byteCount(inFrame, width: width))
            else { return false }
            let target = unsafe numbers + start
            unsafe BitPacking.forEach(packed, inFrame, width: width) { index, number in
                unsafe target[index] = low &+ Int64(bitPattern: number)
            }
            start += inFrame
        }
        for level in stride(from: order, to: 0, by: -1) {
            var last = unsafe numbers[level - 1]
            for index in level..<max(start, level) {
                last = unsafe last &+ numbers[index]
                unsafe numbers[index] = last
            }
        }
        return true
    }
}
