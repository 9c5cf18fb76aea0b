/// The share of one core for evaluations at scrapes. A pure machine.
///
/// It saves at most a quarter of a second of CPU time, so that a scrape after quiet seconds is evaluated at once. When
/// the balance is negative, evaluations wait until it is not, and scrapes that are committed meanwhile cause only one.
struct ScrapeBudget: Equatable, Sendable {
    /// The share of one core, above 0.
    var share: Double
    private var balance = Self.most
    private var updated: Int64?

    private static let most = 0.25

    /// A full budget.
    init(share: Double) {
        self.share = share
    }

    /// Seconds until an evaluation may begin; 0 for now.
    ///
    /// - Parameter now: nanoseconds of a monotonic clock.
    mutating func wait(at now: Int64) -> Double {
        if let updated { balance = min(Self.most, balance + share * Double(now - updated) / 1e9) }
        updated = now
        return balance >= 0 ? 0 : -balance / share
    }

    /// An evaluation took `seconds`.
    mutating func spent(_ seconds: Double) {
        balance -= seconds
    }
}
