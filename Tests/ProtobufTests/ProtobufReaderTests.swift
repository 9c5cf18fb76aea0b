import Protobuf
import TestSupport
import Testing

@Suite struct ProtobufReaderTests {
    private func fields(_ bytes: [UInt8]) throws(ProtobufFault) -> [String] {
        try ProtobufReader.reading(bytes) { reader throws(ProtobufFault) in
            var reader = reader
            var fields: [String] = []
            while let (number, content) = try reader.next() { fields.append("\(number) \(content)") }
            return fields
        }
    }

    @Test func fieldsOfEveryWireTypeAreFound() throws {
        let bytes = ProtobufMessage.make {
            $0.number(1, 300)
            $0.double(2, 1)
            $0.text(3, "abc")
            $0.raw([4 << 3 | 5, 1, 2, 3, 4])
            $0.number(536_870_911, .max)
        }
        #expect(
            try fields(bytes) == [
                "1 varint(300)", "2 fixed64(4607182418800017408)", "3 bytes(Range(14..<17))", "4 fixed32(67305985)",
                "536870911 varint(18446744073709551615)",
            ])
    }

    @Test(
        arguments: [
            ([0x08], "a number is cut off at byte 1"),
            (
                [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
                "a number of more than 64 bits at byte 10"
            ),
            ([0x0a, 0x05, 0x01], "5 bytes announced where 1 are left at byte 2"),
            (
                [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
                "18446744073709551615 bytes announced where 0 are left at byte 11"
            ),
            ([0x09, 0x01], "a number is cut off at byte 1"), ([0x0d, 0x01], "a number is cut off at byte 1"),
            ([0x0b], "unknown wire type 3 at byte 0"), ([0x02, 0x00], "field number 0 at byte 0"),
        ] as [([UInt8], String)])
    func brokenBytesAreFaults(bytes: [UInt8], fault: String) {
        #expect {
            try fields(bytes)
        } throws: {
            ($0 as? ProtobufFault)?.description == fault
        }
    }

    @Test func aFieldNeverReachesBeyondItsMessage() throws {
        // The inner message claims four bytes, of which two belong to its parent's sibling.
        let bytes: [UInt8] = [0x0a, 0x02, 0x0a, 0x04, 0x10, 0x01]
        try ProtobufReader.reading(bytes) { reader throws(ProtobufFault) in
            var outer = reader
            guard let (_, content) = try outer.next(), case .bytes(let range) = content else { throw outer.cutOff(0) }
            var inner = outer.message(range)
            #expect(throws: ProtobufFault.self) { try inner.next() }
            #expect(try outer.next()?.number == 2)
        }
    }

    @Test func repeatedNumbersMayBePackedOrNot() throws {
        let bytes = ProtobufMessage.make {
            $0.packedSigned(1, [1, -2])
            $0.signed(1, 3)
            $0.packedDoubles(2, [0.5, 1.5])
            $0.double(2, 2.5)
        }
        var integers: [Int64] = []
        var doubles: [Double] = []
        try ProtobufReader.reading(bytes) { reader throws(ProtobufFault) in
            var reader = reader
            while let (number, content) = try reader.next() {
                if number == 1 {
                    try reader.takeNumbers(content) { integers.append(ProtobufReader.zigzag($0)) }
                } else {
                    try reader.takeDoubles(content, into: &doubles)
                }
            }
        }
        #expect(integers == [1, -2, 3])
        #expect(doubles == [0.5, 1.5, 2.5])
    }
}
