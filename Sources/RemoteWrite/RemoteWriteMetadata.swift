internal import Exposition
internal import MetricModel

/// Metadata of metric families from senders of remote write, for `/api/v1/metadata`. A value, protected by
/// ``RemoteWriteReceiver``.
///
/// Only in memory, like that of targets: a sender of version 2 sends it with every series, one of version 1 every
/// minute. The last metadata of a family is used.
struct RemoteWriteMetadata {
    /// The maximum number of families.
    static let mostFamilies = 20_000
    /// The maximum length of a help text in bytes; longer ones are truncated. Longer names and units are rejected.
    static let longestText = 2048
    /// Families that were not repeated for this long are removed when there is no room.
    static let lifetime: Milliseconds = .hours(1)
    /// The minimum time between removals.
    private static let sweepInterval: Milliseconds = .minutes(1)

    private struct Entry {
        var metadata: MetricMetadata
        var said: Timestamp
    }

    private var entries: [String: Entry] = [:]
    private var swept = Timestamp.distantPast

    /// The number of families.
    var count: Int { entries.count }

    /// The metadata of every family, in no particular order.
    var families: [MetricMetadata] { entries.values.map(\.metadata) }

    /// Stores the metadata in `request`.
    ///
    /// - Returns: the number of families that did not fit.
    mutating func take(_ request: WriteRequest, now: Timestamp) -> Int {
        request.metadata.count { !take($0, now) }
    }

    /// Returns whether there was room.
    private mutating func take(_ said: WriteRequest.Metadata, _ now: Timestamp) -> Bool {
        guard !said.family.isEmpty else { return true }
        guard said.family.utf8.count <= Self.longestText, said.unit.utf8.count <= Self.longestText else { return false }
        let help = said.help.utf8.count <= Self.longestText ? said.help : Self.prefix(of: said.help)
        let metadata = MetricMetadata(family: said.family, type: said.typeName, help: help, unit: said.unit)
        guard entries[said.family] != nil || makeRoom(now) else { return false }
        entries[said.family] = Entry(metadata: metadata, said: now)
        return true
    }

    /// The longest prefix of complete characters that fits.
    private static func prefix(of text: String) -> String {
        var end = text.utf8.index(text.startIndex, offsetBy: longestText)
        while String.Index(end, within: text) == nil { end = text.utf8.index(before: end) }
        return String(text[..<end])
    }

    private mutating func makeRoom(_ now: Timestamp) -> Bool {
        if entries.count < Self.mostFamilies { return true }
        guard now - swept >= Self.sweepInterval else { return false }
        swept = now
        entries = entries.filter { now - $0.value.said < Self.lifetime }
        return entries.count < Self.mostFamilies
    }
}

extension WriteRequest.Metadata {
    var isEmpty: Bool { type == 0 && help.isEmpty && unit.isEmpty }

    /// Both versions use the same numbers for types. Later additions are unknown here.
    private var kind: MetricType {
        let kinds: [MetricType] = [
            .unknown, .counter, .gauge, .histogram, .gaugehistogram, .summary, .info, .stateset,
        ]
        return type < UInt64(kinds.count) ? kinds[Int(type)] : .unknown
    }

    fileprivate var typeName: String { kind.name }

    /// The same with the family's name instead of the name of one of its parts.
    var ofWholeFamily: WriteRequest.Metadata {
        let suffixes: [String]
        switch kind {
        case .histogram: suffixes = ["_bucket", "_count", "_sum"]
        case .gaugehistogram: suffixes = ["_bucket", "_gcount", "_gsum"]
        case .summary: suffixes = ["_count", "_sum"]
        case .unknown, .counter, .gauge, .info, .stateset: return self
        }
        guard let suffix = suffixes.first(where: family.hasSuffix), suffix.utf8.count < family.utf8.count else {
            return self
        }
        var whole = self
        whole.family = String(family.dropLast(suffix.count))
        return whole
    }
}
