import MetricModel
import Testing

@testable import MetricStore

@Suite struct SeriesCodecTests {
    /// Encodes, decodes and compares; gives the encoded length.
    @discardableResult
    private func roundTrip(
        _ values: [UInt64], _ isPresent: (Int) -> Bool = { _ in true },
        sourceLocation: SourceLocation = #_sourceLocation
    ) -> Int {
        let groups = (values.count + 15) / 16
        var masks = [RowMask](repeating: 0, count: groups)
        for row in values.indices where isPresent(row) { masks[row / 16] |= 1 << RowMask(row % 16) }
        var bytes: [UInt8] = []
        SeriesCodec.encode(values, masks, rowCount: values.count, to: &bytes)
        let (isValid, decoded, found) = Self.decode(bytes, rowCount: values.count)
        #expect(isValid, sourceLocation: sourceLocation)
        #expect(found == masks, sourceLocation: sourceLocation)
        for row in values.indices where isPresent(row) && decoded[row] != values[row] {
            Issue.record("row \(row): \(values[row]) comes back as \(decoded[row])", sourceLocation: sourceLocation)
            break
        }
        return bytes.count
    }

    private static func decode(_ bytes: [UInt8], rowCount: Int) -> (Bool, [UInt64], [RowMask]) {
        var decoded = [UInt64](repeating: 0x5555, count: rowCount)
        var masks = [RowMask](repeating: 0xffff, count: (rowCount + 15) / 16)
        let padded = bytes + [UInt8](repeating: 0xaa, count: BitPacking.slack)
        let isValid = padded.withUnsafeBytes { padded in
            SeriesCodec.decode(
                ByteCursor(padded.baseAddress!, count: bytes.count), rowCount: rowCount, into: &decoded, &masks)
        }
        return (isValid, decoded, masks)
    }

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
            roundTrip([first])
            for second in Self.special {
                roundTrip([first, second])
                roundTrip(Array(repeating: first, count: 63) + [second] + Array(repeating: first, count: 70))
                roundTrip([second] + Array(repeating: first, count: 40)) { $0 % 3 != 1 }
            }
        }
    }

    @Test func randomBitsComeBack() {
        var generator = Seeded(seed: testSeed)
        for _ in 0..<300 {
            let count = Int.random(in: 1...SeriesCodec.mostRows, using: &generator)
            let width = UInt64.random(in: 0...63, using: &generator)
            let values = (0..<count).map { _ in generator.next() >> width }
            let gap = Int.random(in: 1...20, using: &generator)
            roundTrip(values) { $0 % gap != gap - 1 || $0 == 0 }
        }
    }

    /// Counters, gauges, resets, missing rows, markers and constants, of every length.
    @Test func seriesAsTheyAreScrapedComeBackInFewBytes() {
        var generator = Seeded(seed: testSeed)
        for count in [1, 2, 3, 15, 16, 17, 63, 64, 65, 66, 255, 256, 257, 1000, 1023, 1024, 1025, 2048] {
            var sum = Double.random(in: 0...1e9, using: &generator).rounded()
            let counter = (0..<count).map { _ -> UInt64 in
                sum += Double(Int.random(in: 0...15, using: &generator))
                return sum.bitPattern
            }
            #expect(roundTrip(counter) <= count / 2 + count / 16 + 16)
            let isReset = count / 2
            roundTrip(counter.enumerated().map { $0 < isReset ? $1 : Double($0 - isReset).bitPattern })
            var level = 20.0
            let gauge = (0..<count).map { _ -> UInt64 in
                level = ((level + Double(Int.random(in: -3...3, using: &generator)) / 10) * 10).rounded() / 10
                return level.bitPattern
            }
            #expect(roundTrip(gauge) <= 3 * count / 8 + count / 16 + 16)
            roundTrip(gauge.enumerated().map { $0 % 40 == 39 ? Double.staleMarker.bitPattern : $1 })
            let rows = (0..<count).map { $0 == 0 || Bool.random(using: &generator) }
            roundTrip(gauge) { rows[$0] }
            #expect(roundTrip(Array(repeating: Double(42).bitPattern, count: count)) <= 8)
            #expect(roundTrip(Array(repeating: Double.pi.bitPattern, count: count)) <= 9)
            let floats = (0..<count).map { _ in Double.random(in: 1...2, using: &generator).bitPattern }
            #expect(roundTrip(floats) <= 8 * count + count / 16 + 20)
        }
    }

    /// A slot that nobody used takes no bytes, and no bytes are a slot without samples.
    @Test func aSlotWithoutSamplesHasNoBytes() {
        var bytes: [UInt8] = []
        SeriesCodec.encode([1, 2, 3], [0], rowCount: 3, to: &bytes)
        #expect(bytes.isEmpty)
        let (isValid, _, masks) = Self.decode([], rowCount: 40)
        #expect(isValid)
        #expect(masks == [0, 0, 0])
    }

    @Test func damagedBytesNeverTrapAndNeverGiveRowsBehindTheLast() {
        var generator = Seeded(seed: testSeed)
        for _ in 0..<3000 {
            let count = Int.random(in: 1...300, using: &generator)
            var value = 0.0
            let values = (0..<count).map { _ -> UInt64 in
                value += Double(Int.random(in: 0...9, using: &generator)) / 10
                return value.bitPattern
            }
            var bytes: [UInt8] = []
            let masks = (0..<(count + 15) / 16).map { group in
                RowMask.random(in: .min ... .max, using: &generator) & ColumnCodec.everyRow(count - 16 * group)
            }
            SeriesCodec.encode(values, masks, rowCount: count, to: &bytes)
            for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
                bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            if Bool.random(using: &generator) {
                bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &generator)))
            }
            let (isValid, _, found) = Self.decode(bytes, rowCount: count)
            if isValid { #expect(found.last.map { $0 & ~ColumnCodec.everyRow(count - 16 * (found.count - 1)) } == 0) }
        }
    }
}
