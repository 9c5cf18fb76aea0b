import CRuntime
import Runtime
import Testing

struct CRC32CTests {
    @Test("the check value of the polynomial and the vectors of RFC 3720 are computed")
    func vectors() {
        #expect(CRC32C.checksum("123456789".utf8) == 0xE306_9283)
        #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(CRC32C.checksum([UInt8](repeating: 0xff, count: 32)) == 0x62A8_AB43)
        #expect(CRC32C.checksum(0..<32) == 0x46DD_794E)
        #expect(CRC32C.checksum([]) == 0)
    }

    @Test("every length and split has the same checksum by the processor's instruction and without it")
    func portable() {
        let bytes = (0..<67).map { UInt8(truncatingIfNeeded: $0 * 151 + 7) }
        for count in 0...bytes.count {
            let part = bytes[..<count]
            #expect(CRC32C.checksum(part) == cruntime_crc32c_portable(0, Array(part), count))
            let head = CRC32C.checksum(bytes[..<(count / 3)])
            #expect(CRC32C.checksum(bytes[(count / 3)..<count], after: head) == CRC32C.checksum(part))
        }
    }
}
