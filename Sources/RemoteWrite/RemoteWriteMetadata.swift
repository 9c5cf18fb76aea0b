internal import Exposition
internal import MetricModel

/// Metadata of metric families from senders of remote write, for `/api/v1/metadata`. A value; ``RemoteWriteReceiver``
/// guards it.
///
/// In memory alone, like that of targets: a sender of version 2 says it with every series, one of version 1 every
/// minute. What was said last of a family counts.
struct RemoteWriteMetadata {
    /// The most families that are kept.
    static let mostFamilies = 20_000
    /// The most bytes of a help text, which is cut; longer names and units are refused.
    static let longestText = 2048
    /// Families that were not repeated for this long are removed when there is no room.
    static let lifetime: Milliseconds = .hours(1)
    /// Looking for room is not worthwhile more often.
    private static let sweepInterval: Milliseconds = .minutes(1)

    private struct Entry {
        var metadata: MetricMetadata
        var said: Timestamp
    }

    private var entries: [String: Entry] = [:]
    private var swept = Timestamp.distantPast

    /// How many families there are.
    var count: Int { entries.count }

    /// Every family with what is known of it, in no order.
    var families: [MetricMetadata] { entries.values.map(\.metadata) }

    /// Takes up what `request` says.
    ///
    /// - Returns: How many families there was no room for.
    mutating func take(_ request: WriteRequest, now: Timestamp) -> Int {
        var refused = 0
        for metadata in request.metadata where !take(metadata, now) { refused += 1 }
        // The series of a family mostly come one after the other.
        var last: WriteRequest.Metadata?
        for series in request.series {
            guard let metadata = series.metadata, !metadata.isEmpty else { continue }
            let own = metadata.ofWholeFamily
            if own == last { continue }
            if !take(own, now) { refused += 1 }
            last = own
        }
        return refused
    }

    /// Whether there is room for it.
    private mutating func take(_ said: WriteRequest.Metadata, _ now: Timestamp) -> Bool {
        guard !said.family.isEmpty else { return true }
        guard said.family.utf8.count <= Self.longestText, said.unit.utf8.count <= Self.longestText else { return false }
        let help = said.help.utf8.count <= Self.longestText ? said.help : Self.prefix(of: said.help)
        let metadata = MetricMetadata(family: said.family, type: said.typeName, help: help, unit: said.unit)
        guard entries[said.family] != nil || makeRoom(now) else { return false }
        entries[said.family] = Entry(metadata: metadata, said: now)
        return true
    }

    /// The longest prefix of whole characters that fits.
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
    fileprivate var isEmpty: Bool { type == 0 && help.isEmpty && unit.isEmpty }

    /// Both versions number types alike; what they add later is unknown here.
    private var kind: MetricType {
        let kinds: [MetricType] = [
            .unknown, .counter, .gauge, .histogram, .gaugehistogram, .summary, .info, .stateset,
        ]
        return type < UInt64(kinds.count) ? kinds[Int(type)] : .unknown
    }

    fileprivate var typeName: String { kind.name }

    /// The same with the family's name in place of that of one of its parts.
    fileprivate var ofWholeFamily: WriteRequest.Metadata {
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
