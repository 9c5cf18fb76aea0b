import MetricModel
import Synchronization
import Testing

@testable import MetricStore

@Suite struct RowCodecTests {
    /// Writes rows into a chunk, encodes each after the previous one, and reads them into a second chunk.
    ///
    /// - Parameter rows: a value per slot for each row, `nil` for none.
    /// - Returns: the bytes of each row.
    @discardableResult
    private func roundTrip(_ rows: [[UInt64?]], block number: Int = 0) throws -> [[UInt8]] {
        let (written, read) = (try ActiveChunk(), try ActiveChunk())
        for _ in 0...number {
            try written.addBlock()
            try read.addBlock()
        }
        let (source, target) = (written.blocks[number], read.blocks[number])
        var encoded: [[UInt8]] = []
        for (row, values) in rows.enumerated() {
            for (column, value) in values.enumerated() {
                if let value { written.set(RingSlot(block: number, column: column), row, value) }
            }
            let room = RowCodec.longest(width: source.width) + RowCodec.slack
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: room, alignment: 8)
            defer { buffer.deallocate() }
            var end = 0
            RowCodec.encode(source, row: row, into: buffer.baseAddress!, &end)
            #expect(end <= room - RowCodec.slack)
            encoded.append(Array(buffer[..<end]))
        }
        for (row, bytes) in encoded.enumerated() {
            bytes.withUnsafeBytes { bytes in
                var offset = 0
                #expect(RowCodec.decode(bytes, &offset, into: target, row: row))
                #expect(offset == bytes.count)
            }
        }
        for column in 0..<source.width {
            let mask = source.masks[column].load(ordering: .relaxed)
            #expect(target.masks[column].load(ordering: .relaxed) == mask)
            for row in rows.indices where mask >> RowMask(row) & 1 == 1 {
                let cell = row * source.width + column
                let value = source.values[cell].load(ordering: .relaxed)
                #expect(target.values[cell].load(ordering: .relaxed) == value, "row \(row), column \(column)")
            }
        }
        return encoded
    }

    private static let special: [Double] = [
        0, -0.0, 1, -1, .infinity, -.infinity, .nan, .staleMarker, Double(nan: 7, signaling: false),
        .leastNonzeroMagnitude, -.leastNormalMagnitude, .greatestFiniteMagnitude, 0.1, 12.345, 0x1p50, 0x1p51, -0x1p51,
        0x1p51 - 1, 0x1p52, 0x1p53 + 2, 0x1p60, 0x1p62, 0x1p63, -0x1p63, 1e300, 255, 256, 65_535, 65_536, 0x1p24,
        0x1p32,
    ]

    @Test func everyPairOfSpecialValuesComesBackBitByBit() throws {
        let special = Self.special.map(\.bitPattern)
        for first in special {
            try roundTrip([special.map { _ in first }, special])
            for shift in stride(from: 0, to: special.count, by: 5) {
                try roundTrip([special.map { _ in first }, special, Array(special[shift...] + special[..<shift])])
            }
        }
    }

    @Test func randomBitsGapsAndWalksComeBackBitByBit() throws {
        var generator = Seeded(seed: testSeed)
        for round in 0..<60 {
            let block = round % 6
            let width = ActiveChunk.width(ofBlock: block)
            var walks = (0..<width).map { _ in Double(Int64.random(in: -5...1_000_000_000, using: &generator)) }
            let kinds = (0..<width).map { _ in Int.random(in: 0..<6, using: &generator) }
            let rows = (0..<ColumnCodec.rows).map { row in
                (0..<width).map { column -> UInt64? in
                    switch kinds[column] {
                    case 0: return UInt64.random(in: .min ... .max, using: &generator)
                    case 1 where Int.random(in: 0..<3, using: &generator) == 0: return nil
                    case 2 where row % 4 == 1: return nil
                    case 3: return Self.special.randomElement(using: &generator)?.bitPattern
                    default:
                        let widest = 1 << Int.random(in: 0..<40, using: &generator)
                        walks[column] += Double(Int.random(in: -widest...widest, using: &generator))
                        return walks[column].bitPattern
                    }
                }
            }
            try roundTrip(rows, block: block)
        }
    }

    @Test func steadyCountersTakeHalfAByte() throws {
        func rows(_ value: (_ row: Int, _ column: Int) -> Int) -> [[UInt64?]] {
            (0..<ColumnCodec.rows).map { row in (0..<256).map { column in Double(value(row, column)).bitPattern } }
        }
        let jittered = try roundTrip(rows { 1000 * $1 + $0 * ($1 + 5) + $0 % 2 }, block: 4)
        #expect(jittered[2...].allSatisfy { $0.count <= 1 + 128 + 256 })
        let exact = try roundTrip(rows { $0 * $1 }, block: 4)
        #expect(exact[2...].allSatisfy { $0.count == 1 + 128 })
    }

    @Test func rowsWithoutValuesTakeAByte() throws {
        let empty = [UInt64?](repeating: nil, count: 32)
        #expect(try roundTrip([empty, empty]).map(\.count) == [1, 1])
    }

    @Test func damagedBytesNeverTrap() throws {
        var generator = Seeded(seed: testSeed)
        let bytes = try roundTrip([(0..<32).map { Double($0 * 300).bitPattern }])[0]
        for _ in 0..<1000 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1..<4, using: &generator) {
                damaged[Int.random(in: 0..<damaged.count, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            damaged.removeLast(Int.random(in: 0..<damaged.count, using: &generator))
            let chunk = try ActiveChunk()
            try chunk.addBlock()
            damaged.withUnsafeBytes { damaged in
                var offset = 0
                let row = Int.random(in: 0..<3, using: &generator)
                if RowCodec.decode(damaged, &offset, into: chunk.blocks[0], row: row) {
                    #expect(offset <= damaged.count)
                }
            }
        }
    }
}
