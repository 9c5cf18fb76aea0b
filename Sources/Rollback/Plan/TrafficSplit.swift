/// How the traffic of a service is divided between its stable and its candidate version. Always sums to 100.
public struct TrafficSplit: Hashable, Sendable, CustomStringConvertible {
    /// Percent that the candidate gets, 0...100.
    public let candidate: Int

    /// Percent that the stable version gets.
    public var stable: Int { 100 - candidate }

    /// A split that gives the candidate `candidate` percent; `nil` outside 0...100.
    public init?(candidate: Int) {
        guard (0...100).contains(candidate) else { return nil }
        self.candidate = candidate
    }

    private init(trusted candidate: Int) {
        self.candidate = candidate
    }

    /// Everything goes to the stable version.
    public static let allStable = TrafficSplit(trusted: 0)
    /// Everything goes to the candidate.
    public static let allCandidate = TrafficSplit(trusted: 100)

    /// The split nearest to `candidate` out of `total` shares; `nil` where there are none.
    ///
    /// A side that has any share at all is never rounded to nothing.
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
