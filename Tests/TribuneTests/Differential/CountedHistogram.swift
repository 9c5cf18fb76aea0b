import TestSupport

/// A native histogram of observations that are multiples of 2^-12, so that sums are exact.
struct CountedHistogram {
    private(set) var schema: Int32
    private var zeroThreshold = 0x1p-10
    private var zeroCount: Int64 = 0
    private var positive: [Int32: Int64] = [:]
    private var negative: [Int32: Int64] = [:]
    private var sum = 0.0

    init(schema: Int32) {
        self.schema = schema
    }

    /// Adds `count` observations of powers of two up to 64, most of them small.
    mutating func observe(_ count: Int, using random: inout SeededGenerator) {
        for _ in 0..<count {
            let place = Int32.random(in: -11...6, using: &random)
            let value = Double(sign: .plus, exponent: Int(place), significand: 1)
            let isNegative = Int.random(in: 0..<8, using: &random) == 0
            sum += isNegative ? -value : value
            if value <= zeroThreshold {
                zeroCount += 1
            } else if isNegative {
                negative[index(of: place), default: 0] += 1
            } else {
                positive[index(of: place), default: 0] += 1
            }
        }
    }

    /// Starts again at zero, in the same layout.
    mutating func reset() {
        (zeroCount, positive, negative, sum) = (0, [:], [:], 0)
    }

    /// The bucket of 2^`place`.
    private func index(of place: Int32) -> Int32 { place << schema }

    /// Halves the resolution, as long as there is any.
    mutating func makeCoarser() {
        guard schema > 0 else { return }
        schema -= 1
        (positive, negative) = (Self.halved(positive), Self.halved(negative))
    }

    private static func halved(_ buckets: [Int32: Int64]) -> [Int32: Int64] {
        var result: [Int32: Int64] = [:]
        for (index, count) in buckets { result[(index + 1) >> 1, default: 0] += count }
        return result
    }

    /// Moves the edge of the zero bucket to the next power of two, including what is below it.
    mutating func widenZeroBucket() {
        guard zeroThreshold < 0x1p-6 else { return }
        zeroThreshold *= 2
        var place: Int32 = 0
        while Double(sign: .plus, exponent: Int(place), significand: 1) > zeroThreshold { place -= 1 }
        let last = index(of: place)
        for (index, count) in positive where index <= last { zeroCount += count }
        for (index, count) in negative where index <= last { zeroCount += count }
        positive = positive.filter { $0.key > last }
        negative = negative.filter { $0.key > last }
    }

    /// The fields of remote write's `Histogram`.
    func write(to message: inout ProtobufMessage, at time: Int64) {
        let count = zeroCount + positive.values.reduce(0, +) + negative.values.reduce(0, +)
        message.number(1, UInt64(count))
        message.double(3, sum)
        message.signed(4, Int64(schema))
        message.double(5, zeroThreshold)
        message.number(6, UInt64(zeroCount))
        Self.write(negative, to: &message, spans: 8, deltas: 9)
        Self.write(positive, to: &message, spans: 11, deltas: 12)
        message.number(15, UInt64(bitPattern: time))
    }

    private static func write(
        _ buckets: [Int32: Int64], to message: inout ProtobufMessage, spans: UInt64, deltas: UInt64
    ) {
        var next: Int32 = 0
        var previous: Int64 = 0
        var differences: [Int64] = []
        // Every bucket is a separate span.
        for (index, count) in buckets.sorted(by: { $0.key < $1.key }) {
            message.message(spans) {
                $0.signed(1, Int64(index - next))
                $0.number(2, 1)
            }
            next = index + 1
            differences.append(count - previous)
            previous = count
        }
        if !differences.isEmpty { message.signed(deltas, differences) }
    }
}
