extension Labels {
    /// FNV-1a over names and values, as 16 hexadecimal digits: the id of a label set in Prometheus and Alertmanager.
    public var fingerprint: String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func add(_ text: String) {
            var text = text
            text.withUTF8 { bytes in
                for index in bytes.indices { hash = (hash ^ UInt64(unsafe bytes[index])) &* 0x100_0000_01b3 }
            }
            hash = (hash ^ 0xff) &* 0x100_0000_01b3
        }
        for pair in pairs {
            add(pair.name)
            add(pair.value)
        }
        return unsafe String(unsafeUninitializedCapacity: 16) { digits in
            for index in 0..<16 {
                let digit = UInt8(truncatingIfNeeded: hash >> UInt64(60 - 4 * index)) & 15
                unsafe digits[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            }
            return 16
        }
    }
}
