/// The weights of the stable and the candidate version of a service. The sum is always 100.
public struct TrafficSplit: Hashable, Sendable, CustomStringConvertible {
    /// Percentage of the candidate, 0...100.
    public let candidate: Int

    /// Percentage of the stable version.
    public var stable: Int { 100 - candidate }

    /// A split with `candidate` percent for the candidate; `nil` outside 0...100.
    public init?(candidate: Int) {
        guard (0...100).contains(candidate) else { return nil }
        self.candidate = candidate
    }

    private init(trusted candidate: Int) {
        self.candidate = candidate
    }

    /// All traffic to the stable version.
    public static let allStable = TrafficSplit(trusted: 0)
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

    /// `90/10`: stable, candidate.
    public var description: String { "\(stable)/\(candidate)" }
}
