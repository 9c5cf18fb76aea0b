internal import TLS

/// The id of the trace of an incident: derived from the incident's name, so that every process, also after a restart,
/// gives the same incident the same id. A value.
struct TraceID: Hashable, Sendable, CustomStringConvertible {
    /// 16 bytes, not all zero.
    let bytes: [UInt8]

    /// The trace of the incident named `incident`.
    init(incident: String) {
        bytes = Array(SHA256.hash("tribune incident \(incident)").prefix(16))
    }

    /// 32 hexadecimal digits.
    var description: String { Hexadecimal.text(bytes) }

    /// Whether the trace belongs to the share `fraction`, by OpenTelemetry's rule: the last 63 bits as a number below
    /// the fraction of 2⁶³.
    func isSampled(_ fraction: Double) -> Bool {
        if fraction >= 1 { return true }
        if fraction <= 0 { return false }
        let number = bytes[8...].reduce(0 as UInt64) { $0 << 8 | UInt64($1) } >> 1
        return number < UInt64(fraction * 0x1p63)
    }

    /// The id of the span of this trace that `key` names: 8 bytes.
    func span(_ key: String) -> [UInt8] { Array(SHA256.hash("\(self) \(key)").prefix(8)) }
}
