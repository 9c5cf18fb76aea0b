import TLS
import Testing

@Suite struct P256KeyTests {
    @Test func `a key signs what its public half verifies, and only that`() throws {
        let key = try P256Key.generate()
        let signature = try key.sign(Array("text".utf8))
        let coordinates = key.point.dropFirst()
        let verifier = try SignatureKey(
            ecX: Array(coordinates.prefix(32)), y: Array(coordinates.suffix(32)), .es256)
        #expect(signature.count == 64)
        #expect(verifier.isValid(signature, over: Array("text".utf8)))
        #expect(!verifier.isValid(signature, over: Array("Text".utf8)))
    }

    @Test func `a key survives its PEM text, and others are refused`() throws {
        let key = try P256Key.generate()
        #expect(try P256Key(pem: try key.pem()).point == key.point)
        for text in ["", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", try SigningKey.generate().pem()] {
            #expect(throws: TLSError.self) { try P256Key(pem: text) }
        }
        // Zero, and numbers that are not below the order of the curve.
        for number in [[UInt8](repeating: 0, count: 32), [UInt8](repeating: 255, count: 32), [1]] {
            #expect(throws: TLSError.self) { try P256Key(number: number) }
        }
    }

    @Test func `both owners compute the same secret, and a point beside the curve is refused`() throws {
        let (one, other) = (try P256Key.generate(), try P256Key.generate())
        #expect(try one.sharedSecret(with: other.point) == other.sharedSecret(with: one.point))
        var beside = other.point
        beside[64] ^= 1
        for point in [beside, [], Array(other.point.dropLast()), [UInt8](repeating: 0, count: 65)] {
            #expect(throws: TLSError.self) { try one.sharedSecret(with: point) }
        }
    }

    @Test func `HKDF gives the values of RFC 5869`() {
        let key = HKDFSHA256.key(
            from: [UInt8](repeating: 0x0b, count: 22), salt: Array(0...12), info: Array(0xf0...0xf9), count: 32)
        #expect(Hexadecimal.text(key) == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf")
    }

    @Test func `AES-128-GCM gives the values of the GCM specification`() throws {
        // Test cases 1 and 2 of the specification that McGrew and Viega submitted to NIST.
        let (key, nonce) = ([UInt8](repeating: 0, count: 16), [UInt8](repeating: 0, count: 12))
        #expect(
            Hexadecimal.text(try AES128GCM.seal([], key: key, nonce: nonce)) == "58e2fccefa7e3061367f1d57a4e7455a")
        #expect(
            Hexadecimal.text(try AES128GCM.seal([UInt8](repeating: 0, count: 16), key: key, nonce: nonce))
                == "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf")
    }
}
