internal import History
internal import Identity
internal import JSON
internal import Rollback
internal import Runtime

extension Recorder {
    /// A person changed work that a rollback left. Returns false if the entry is not on disk yet.
    func changed(_ change: RollbackTask.Change, of report: RollbackReport, by principal: Principal) -> Bool {
        let generation = report.rollback.generation
        let body = change.body(plan: report.plan, generation: generation, by: principal.displayName)
        // Owners are persons, and notes may name some.
        let members = (body.members ?? []).map { member in
            guard ["by", "owner", "note"].contains(member.name), let text = member.value.text else { return member }
            return JSON.Member(member.name, LedgerEvent.personal(text))
        }
        return history.recordDurably(
            LedgerEvent(
                milliseconds: SystemClock.wallMilliseconds(), kind: .deployment, subject: report.plan,
                body: .object(members), actor: LedgerActor(principal), incident: report.rollback.incident,
                service: change.service))
    }
}
