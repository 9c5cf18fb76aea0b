import RemoteWrite
import Snappy

/// Messages of remote write.
enum RemoteWriteFuzzing {
    static func finding(in bytes: [UInt8]) -> String? {
        for version in [WriteRequest.Version.one, .two] {
            // Rejected or not, it must return.
            _ = try? WriteRequest(bytes, version: version)
            if let message = try? Snappy.uncompress(bytes, limit: 1 << 20) {
                _ = try? WriteRequest(message, version: version)
            }
        }
        return (try? Snappy.uncompress(Snappy.compress(bytes), limit: bytes.count)) == bytes
            ? nil : "snappy does not give back what it was given"
    }
}
