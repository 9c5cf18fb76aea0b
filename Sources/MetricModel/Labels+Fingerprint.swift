extension Labels {
    /// FNV-1a over names and values, as 16 hexadecimal digits: the id of a label set in Prometheus and Alertmanager.
    public var fingerprint: String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func add(_ bytes: some Sequence<UInt8>) {
            for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
        for pair in pairs {
            add(pair.name.utf8)
            add(CollectionOfOne(0xff))
            add(pair.value.utf8)
            add(CollectionOfOne(0xff))
        }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
