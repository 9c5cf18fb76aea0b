/// What the log says of a scrape: a target that fails, or sends what is not stored, is told of once and not each time.
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
    ///   - health: What the scrape before made of the target.
    ///   - refusedBefore: Samples of the scrape before that the store did not take.
    ///   - error: Why this one failed; empty where it did not.
    ///   - refused: Its samples that the store did not take.
    init(after health: TargetSnapshot.Health, refusedBefore: Int, error: String, refused: Int) {
        let again = health == .down
        scrape = error.isEmpty ? (again ? .succeedsAgain : .succeeds) : (again ? .failsAgain : .failsFirst)
        refusal = refused == 0 ? .none : refusedBefore == 0 ? .first : .again
    }

    /// Whether there is nothing to say.
    var isSilent: Bool { scrape == .succeeds && refusal == .none }
}
