import MetricModel
import Testing

@testable import MetricStore

@Suite struct ColumnCodecTests {
    /// Encodes, decodes and compares the rows in `present`; gives the encoded length.
    private func roundTrip(
        _ values: [UInt64], present: RowMask? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) -> Int {
        let present = (present ?? .max) & ColumnCodec.everyRow(values.count)
        var padded = values + Array(repeating: 0, count: ColumnCodec.rows - values.count)
        var bytes = [UInt8](repeating: 0xaa, count: ColumnCodec.longest + ColumnCodec.slack)
        let length = bytes.withUnsafeMutableBytes {
            ColumnCodec.encode(&padded, present: present, rowCount: values.count, into: $0.baseAddress!)
        }
        #expect(length <= ColumnCodec.longest, sourceLocation: sourceLocation)
        var decoded = [UInt64](repeating: 0x5555, count: ColumnCodec.rows)
        let mask = bytes.withUnsafeBytes {
            ColumnCodec.decode($0.baseAddress!, length: length, rowCount: values.count, into: &decoded)
        }
        #expect(mask == present, sourceLocation: sourceLocation)
        for row in values.indices where present & 1 << RowMask(row) != 0 {
            #expect(decoded[row] == values[row], "row \(row) of \(values)", sourceLocation: sourceLocation)
        }
        return length
    }

    private func bits(_ values: [Double]) -> [UInt64] { values.map(\.bitPattern) }

    private static let special: [UInt64] =
        [
            0, -0.0, 1, -1, 0.1, 1.5, -2.25, 1e15, 1e16, 0x1p53, 0x1p53 + 2, -0x1p53, 0x1p63, .infinity, -.infinity,
            .leastNonzeroMagnitude, -.leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude, .pi,
            0.3, 12345.678, 1e-15, 1e-16, .staleMarker, .canonicalNaN, .nan,
        ].map(\.bitPattern) + [
            0x7ff8_dead_beef_0001, 0xfff0_0000_0000_0001, 0xffff_ffff_ffff_ffff, 0x7ff0_0000_0000_0003,
        ]

    @Test func everyPairOfSpecialValuesComesBackBitForBit() {
        for first in Self.special {
            _ = roundTrip([first])
            for second in Self.special {
                _ = roundTrip([first, second])
                _ = roundTrip(Array(repeating: first, count: ColumnCodec.rows - 1) + [second])
                _ = roundTrip([second] + Array(repeating: first, count: 11), present: 0b1010_0111)
            }
        }
    }

    @Test func everyGapPatternOfFiveRowsComesBack() {
        for pattern in 0..<RowMask(32) {
            for stale in 0..<32 {
                let values = (0..<5).map { (row: Int) -> UInt64 in
                    let isStale = (stale >> row) & 1 == 1
                    return isStale ? Double.staleMarker.bitPattern : Double(row * row * 7 - 3).bitPattern
                }
                _ = roundTrip(values, present: pattern)
            }
        }
    }

    @Test(arguments: 0..<56) func stepsOfEveryWidthComeBack(width: Int) {
        var generator = Seeded(seed: UInt64(width))
        for _ in 0..<20 {
            let limit = Int64(1) << Int64(min(width, 48))
            var value = Int64.random(in: -limit...limit, using: &generator)
            let values = (0..<ColumnCodec.rows).map { _ in
                value += Int64.random(in: -limit...limit, using: &generator)
                return Double(value).bitPattern
            }
            _ = roundTrip(values)
        }
    }

    @Test func timesComeBackHoweverFarApart() {
        for times: [Int64] in [
            [5], [1_700_000_000_000, 1_700_000_005_000, 1_700_000_010_003], [.min / 4, .max / 4, 0], [3, 3, 2, 1],
            Array(repeating: 7, count: ColumnCodec.rows), [-(1 << 53), 1 << 53, 0],
        ] {
            var bytes = [UInt8](repeating: 0, count: ColumnCodec.longest + ColumnCodec.slack)
            var copy = times
            _ = copy.withUnsafeMutableBufferPointer { times in
                bytes.withUnsafeMutableBytes { ColumnCodec.encodeTimes(times, into: $0.baseAddress!) }
            }
            let back = bytes.withUnsafeBytes { ColumnCodec.decodeTimes($0.baseAddress!, count: times.count) }
            #expect(back == times)
        }
    }

    @Test func usualColumnsAreSmall() {
        let rows = ColumnCodec.rows
        #expect(roundTrip(bits(Array(repeating: 42.5, count: rows))) == 3)
        #expect(roundTrip(bits(Array(repeating: .pi, count: rows))) == 9)
        // A counter that rises by 100…115 per row: four bits a step.
        let counter = (0..<rows).reduce(into: [1_000_000.0]) { $0.append($0.last! + 100 + Double($1 * 7 % 16)) }
        #expect(roundTrip(bits(Array(counter.prefix(rows)))) <= 16)
        #expect(roundTrip(bits((0..<rows).map { 20.0 + Double($0 % 3) / 10 })) <= 10)
        #expect(roundTrip(bits((1..<rows).map { Double($0) } + [.staleMarker])) <= 8)
        #expect(roundTrip(bits((1...rows).map { 1 / Double($0) + .pi })) == 1 + 8 * rows)
    }

    @Test func anyMixOfSpecialAndRandomBitsComesBack() {
        var generator = Seeded(seed: testSeed)
        for _ in 0..<2000 {
            let count = Int.random(in: 1...ColumnCodec.rows, using: &generator)
            let values = (0..<count).map { _ in
                Bool.random(using: &generator)
                    ? Self.special.randomElement(using: &generator)!
                    : UInt64.random(in: .min ... .max, using: &generator)
            }
            _ = roundTrip(values, present: RowMask.random(in: .min ... .max, using: &generator))
        }
    }
}
