import TLS
import Testing

@Suite struct HashTests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ])
    func `SHA-256 gives the values of FIPS 180`(text: String, digest: String) {
        #expect(SHA256.hex(text) == digest)
    }

    @Test func `HMAC gives the values of RFC 4231`() {
        let short = HMACSHA256.code(for: Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8))
        #expect(Hexadecimal.text(short) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        let long = HMACSHA256.code(
            for: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            key: [UInt8](repeating: 0xaa, count: 131))
        #expect(Hexadecimal.text(long) == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    }

    @Test func `HMAC takes an empty key and an empty text`() {
        _ = HMACSHA256.code(for: [1], key: [7])
        #expect(
            Hexadecimal.text(HMACSHA256.code(for: [], key: []))
                == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
    }

    @Test func `constant-time comparison tells equal from different`() {
        #expect(ConstantTime.equal([], []))
        #expect(ConstantTime.equal([1, 2], [1, 2]))
        #expect(!ConstantTime.equal([1, 2], [1, 3]))
        #expect(!ConstantTime.equal([1, 2], [1]))
        #expect(!ConstantTime.equal([], [1]))
    }
}

@Suite struct Ed25519Tests {
    @Test(arguments: [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "72",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ])
    func `signatures are those of RFC 8032`(seed: String, message: String, key: String, signature: String) throws {
        let signer = try SigningKey(seed: try #require(Hexadecimal.bytes(seed)))
        let message = try #require(Hexadecimal.bytes(message))
        #expect(Hexadecimal.text(signer.verificationKey.bytes) == key)
        #expect(Hexadecimal.text(try signer.sign(message)) == signature)
        #expect(signer.verificationKey.isValid(try signer.sign(message), over: message))
    }

    @Test func `a changed message, signature or key is refused`() throws {
        let signer = try SigningKey.generate()
        var signature = try signer.sign([1, 2, 3])
        #expect(!signer.verificationKey.isValid(signature, over: [1, 2, 4]))
        #expect(!(try SigningKey.generate()).verificationKey.isValid(signature, over: [1, 2, 3]))
        signature[5] ^= 1
        #expect(!signer.verificationKey.isValid(signature, over: [1, 2, 3]))
        #expect(!signer.verificationKey.isValid([], over: [1, 2, 3]))
    }

    @Test func `a key read back from its PEM text is the same key`() throws {
        let signer = try SigningKey.generate()
        let pem = try signer.pem()
        #expect(pem.hasPrefix("-----BEGIN PRIVATE KEY-----\n"))
        #expect(try SigningKey(pem: pem).sign([9]) == signer.sign([9]))
    }

    @Test func `a text that holds no Ed25519 key is an error without key material`() throws {
        #expect(throws: TLSError.self) { try SigningKey(pem: "secret") }
        #expect(throws: TLSError.self) { try SigningKey(seed: [1]) }
        #expect(throws: TLSError.self) { try VerificationKey(bytes: []) }
        let x25519 = """
            -----BEGIN PRIVATE KEY-----
            MC4CAQAwBQYDK2VuBCIEIHcHbQpzGKV9PBbBclGyZkXfTC+H68CZKrF3+6UduSwq
            -----END PRIVATE KEY-----
            """
        #expect { try SigningKey(pem: x25519) } throws: { error in
            "\(error)" == "the key is not an Ed25519 key"
        }
    }
}

@Suite struct EncodingTests {
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func `base64 gives the values of RFC 4648 both ways`(plain: String, encoded: String) {
        #expect(Base64.text(Array(plain.utf8)) == encoded)
        #expect(Base64.bytes(encoded) == Array(plain.utf8))
    }

    @Test(arguments: ["Zg", "Zg=", "Z===", "Zh==", "Zm9=", "Zm9v\n", "Zg==Zg==", "=Zg=", "Zm-v", "===="])
    func `malformed base64 is refused`(text: String) {
        #expect(Base64.bytes(text) == nil)
    }

    @Test(arguments: [
        ("", "d41d8cd98f00b204e9800998ecf8427e"), ("abc", "900150983cd24fb0d6963f7d28e17f72"),
        (
            "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
            "57edf4a22be3c955ac49da2e2107b67a"
        ),
    ])
    func `md5 gives the values of RFC 1321`(text: String, hash: String) {
        #expect(Hexadecimal.text(MD5.hash(Array(text.utf8))) == hash)
    }

    @Test func `all bytes survive base64 and hexadecimal`() throws {
        for length in 0..<300 {
            let bytes = try SecureRandom.bytes(length)
            #expect(Base64.bytes(Base64.text(bytes)) == bytes)
            #expect(Hexadecimal.bytes(Hexadecimal.text(bytes)) == bytes)
        }
        #expect(Hexadecimal.bytes("0") == nil)
        #expect(Hexadecimal.bytes("0g") == nil)
        #expect(Hexadecimal.bytes("aF") == [0xaf])
    }
}
