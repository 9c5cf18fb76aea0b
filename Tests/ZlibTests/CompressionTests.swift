import TestSupport
import Testing
import Zlib

@Suite struct CompressionTests {
    private func failure(_ bytes: [UInt8], limit: Int = 1 << 20) -> DecompressionError? {
        do throws(DecompressionError) {
            _ = try decompress(bytes, limit: limit)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [CompressedFormat.gzip, .zlib], [0, 1, 1000, 100_000])
    func contentComesBack(format: CompressedFormat, count: Int) throws {
        var random = SeededGenerator()
        let content = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next() % 7) }
        let compressed = try #require(compress(content, as: format))
        #expect(try decompress(compressed, limit: count) == content)
        #expect(try decompress(compressed, limit: count, expected: count, reserve: 64) == content)
        if count > 0 { #expect(failure(compressed, limit: count - 1) == .tooLarge(limit: count - 1)) }
    }

    @Test(arguments: [CompressedFormat.gzip, .zlib], [1, 100, 4_000, 1_000_000])
    func piecesAreOneContent(format: CompressedFormat, length: Int) throws {
        var random = SeededGenerator()
        let content = (0..<20_000).map { _ in UInt8(truncatingIfNeeded: random.next() % 7) }
        let deflater = try #require(Deflater(as: format))
        var compressed: [UInt8] = []
        for start in stride(from: 0, to: length == 1 ? 1000 : content.count, by: length) {
            deflater.append(Array(content[start..<min(start + length, content.count)]), isLast: false, to: &compressed)
        }
        deflater.append([], isLast: true, to: &compressed)
        #expect(try decompress(compressed, limit: content.count) == Array(content.prefix(length == 1 ? 1000 : .max)))
    }

    @Test func severalMembersAreOneContent() throws {
        let one = try #require(compress(Array("one".utf8), as: .gzip))
        let two = try #require(compress(Array("two".utf8), as: .gzip))
        #expect(try decompress(one + two, limit: 100) == Array("onetwo".utf8))
    }

    @Test func bombsStopAtTheLimit() throws {
        let bomb = try #require(compress([UInt8](repeating: 0, count: 50 << 20), as: .gzip, level: 9))
        #expect(bomb.count < 100_000)
        #expect(failure(bomb, limit: 1 << 20) == .tooLarge(limit: 1 << 20))
    }

    @Test func damageIsNoticed() throws {
        let good = try #require(compress(Array("some text that is long enough".utf8), as: .gzip))
        #expect(failure([]) == .damaged)
        #expect(failure(Array("plain text".utf8)) == .damaged)
        for count in 1..<good.count { #expect(failure(Array(good[..<count])) == .damaged, "cut to \(count)") }
        var flipped = good
        flipped[good.count - 6] ^= 1
        #expect(failure(flipped) == .damaged)
        #expect(failure(good + [1, 2, 3]) == .damaged)
    }
}
