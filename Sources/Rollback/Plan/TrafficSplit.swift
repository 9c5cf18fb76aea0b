/// The weights of the stable and the candidate version of a service. The sum is always 100.
///
/// Requests of testers, which carry a header or a cookie, reach the candidate as soon as it has a share, and with
/// ``testersOnly`` before that. Splits are ordered by how many requests reach the candidate.
public struct TrafficSplit: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Percentage of the candidate, 0...100.
    public let candidate: Int
    /// Whether testers reach a candidate that has no share.
    public let isForTesters: Bool

    /// Percentage of the stable version.
    public var stable: Int { 100 - candidate }

    /// A split with `candidate` percent for the candidate; `nil` outside 0...100.
    public init?(candidate: Int) {
        guard (0...100).contains(candidate) else { return nil }
        self.init(trusted: candidate)
    }

    private init(trusted candidate: Int, isForTesters: Bool = false) {
        self.candidate = candidate
        self.isForTesters = isForTesters
    }

    /// No request reaches the candidate.
    public static let allStable = TrafficSplit(trusted: 0)
    /// Only requests of testers reach the candidate.
    public static let testersOnly = TrafficSplit(trusted: 0, isForTesters: true)
    /// All traffic to the candidate.
    public static let allCandidate = TrafficSplit(trusted: 100)

    /// The split nearest to `candidate` out of `total` shares; `nil` if `total` is 0.
    ///
    /// A side with a share above 0 is never rounded to 0.
    package init?(candidateShares candidate: Int, of total: Int) {
        guard total > 0, (0...total).contains(candidate) else { return nil }
        let percent = Int((Double(candidate) / Double(total) * 100).rounded())
        if candidate == 0 || candidate == total {
            self.init(trusted: percent)
        } else {
            self.init(trusted: min(99, max(1, percent)))
        }
    }

    /// This split where the way of testers to the candidate is open.
    package var withTesters: TrafficSplit { self == .allStable ? .testersOnly : self }

    /// Whether fewer requests reach the candidate than with `other`.
    public static func < (split: TrafficSplit, other: TrafficSplit) -> Bool {
        (split.candidate, split.isForTesters ? 1 : 0) < (other.candidate, other.isForTesters ? 1 : 0)
    }

    /// `90/10`: stable, candidate.
    public var description: String { isForTesters ? "100/0 with testers" : "\(stable)/\(candidate)" }

    /// `10 %`, or `testers`.
    package var stageName: String { isForTesters ? "testers" : "\(candidate) %" }
}
