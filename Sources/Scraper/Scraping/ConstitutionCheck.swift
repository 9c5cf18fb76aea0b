internal import MetricModel

/// What a target says about the constitution it follows, against the one that is configured. A value.
///
/// A target shows its hash in the response header `X-Constitutional-Hash`, in the label `constitutional_hash` of any
/// series it exposes, or in the label `hash` of a metric called `constitutional_hash` or `constitutional_hash_info`.
/// One that has never shown any has nothing to match, and gets no series. One that has, and does not any more, does not
/// match (docs/design/0042).
struct ConstitutionCheck: Equatable, Sendable {
    static let header = "X-Constitutional-Hash"
    /// The series with the outcome.
    static let metric = "constitutional_hash_match"

    /// The hash to match; `nil` switches the check off.
    let wanted: String?
    private var shown: [Int32: String] = [:]
    private var hasEverShown = false

    init(wanted: String?) {
        self.wanted = wanted
    }

    /// A series was seen for the first time.
    mutating func learned(_ number: Int32, _ labels: Labels) {
        guard wanted != nil, let hash = Self.hash(in: labels) else { return }
        shown[number] = hash
    }

    /// A series is gone.
    mutating func forgot(_ number: Int32) {
        shown[number] = nil
    }

    /// Every series is gone.
    mutating func forgotAll() {
        shown = [:]
    }

    /// 1 when everything that was shown matches, 0 when something does not or nothing is shown any more, else `nil`.
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
