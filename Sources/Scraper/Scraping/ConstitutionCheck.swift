internal import MetricModel

/// Compares the constitution hash that a target exposes with the configured one. A value.
///
/// A target exposes its hash in the response header `X-Constitutional-Hash`, in the label `constitutional_hash` of any
/// series, or in the label `hash` of a metric named `constitutional_hash` or `constitutional_hash_info`. A target that
/// never exposed a hash gets no result series. A target that exposed one and no longer does, does not match
/// (docs/design/0042).
struct ConstitutionCheck: Equatable, Sendable {
    static let header = "X-Constitutional-Hash"
    /// The name of the result series.
    static let metric = "constitutional_hash_match"

    /// The hash to match; `nil` disables the check.
    let wanted: String?
    private var shown: [Int32: String] = [:]
    private var hasEverShown = false

    init(wanted: String?) {
        self.wanted = wanted
    }

    /// A series appeared.
    mutating func learned(_ number: Int32, _ labels: Labels) {
        guard wanted != nil, let hash = Self.hash(in: labels) else { return }
        shown[number] = hash
    }

    /// A series ended.
    mutating func forgot(_ number: Int32) {
        shown[number] = nil
    }

    /// All series ended.
    mutating func forgotAll() {
        shown = [:]
    }

    /// 1 if every exposed hash matches; 0 if one does not match, or if none is exposed any more; otherwise `nil`.
    mutating func scraped(header: String?) -> Double? {
        guard let wanted else { return nil }
        let hashes = Array(shown.values) + (header.map { [$0] } ?? [])
        if !hashes.isEmpty { hasEverShown = true }
        guard hasEverShown else { return nil }
        return !hashes.isEmpty && hashes.allSatisfy { ByteOrder.equal($0, wanted) } ? 1 : 0
    }

    private static func hash(in labels: Labels) -> String? {
        if let hash = labels["constitutional_hash"] { return hash }
        let names = ["constitutional_hash", "constitutional_hash_info"]
        return labels.metricName.flatMap { names.contains($0) ? labels["hash"] : nil }
    }
}
