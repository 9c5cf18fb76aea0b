public import Rollback

/// Verdicts about releases that other controllers move.
extension RollbackRunner {
    /// Why a question has no answer.
    public enum VerdictFault: Error, Equatable, Sendable {
        /// No verdict has this name.
        case unknown
        /// The thread of the verdicts does not answer.
        case silent
    }

    /// Answers a question about the verdict `name`. A change is on disk when this returns, unless the
    /// disk is slow or takes nothing: then the answer is given all the same.
    public func ask(_ name: String, _ question: VerdictQuestion) throws(VerdictFault) -> VerdictReply {
        try checkVerdict(name)
        guard let reply = verdicts.ask(name, question) else { throw .silent }
        return reply
    }

    /// A person ends the release of the verdict `name`. Returns whether there was one.
    public func endVerdict(_ name: String, by person: String) throws(VerdictFault) -> Bool {
        try checkVerdict(name)
        guard let hadRelease = verdicts.end(name, by: person) else { throw .silent }
        return hadRelease
    }

    /// Every verdict, by name.
    public var verdictStandings: [VerdictStanding] { verdicts.standings }

    private func checkVerdict(_ name: String) throws(VerdictFault) {
        guard verdicts.has(name) else { throw .unknown }
    }
}
