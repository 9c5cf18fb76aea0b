/// The log messages about a scrape. A persistent failure is logged as a warning once, not at each scrape.
struct ScrapeNotes: Equatable {
    enum Scrape: Equatable {
        case succeeds
        case succeedsAgain
        case failsFirst
        case failsAgain
    }

    enum Refusal: Equatable {
        case none
        case first
        case again
    }

    let scrape: Scrape
    let refusal: Refusal

    /// - Parameters:
    ///   - health: the result of the previous scrape.
    ///   - refusedBefore: samples of the previous scrape that the store rejected.
    ///   - error: why this scrape failed; empty if it succeeded.
    ///   - refused: samples of this scrape that the store rejected.
    init(after health: TargetSnapshot.Health, refusedBefore: Int, error: String, refused: Int) {
        let again = health == .down
        scrape = error.isEmpty ? (again ? .succeedsAgain : .succeeds) : (again ? .failsAgain : .failsFirst)
        refusal = refused == 0 ? .none : refusedBefore == 0 ? .first : .again
    }

    /// Whether there is nothing to log.
    var isSilent: Bool { scrape == .succeeds && refusal == .none }
}
