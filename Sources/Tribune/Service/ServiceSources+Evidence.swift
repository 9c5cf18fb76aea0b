internal import DeploymentGates
internal import History
internal import Identity
internal import JSON
internal import MetricModel
internal import PromQL
internal import RuleEngine
internal import RuleModel
internal import Runtime
internal import TLS
internal import TribuneAPI

extension ServiceSources {
    /// Writes a statement to the ledger, after measuring where it asks for it.
    func evidence(_ statement: EvidenceStatement, _ principal: Principal) -> EvidenceStatement.Reply {
        let now = SystemClock.wallMilliseconds()
        // Without random bytes the client cannot find its entry.
        guard let random = try? SecureRandom.bytes(8) else { return .unavailable }
        var body: [JSON.Member] = [
            JSON.Member("decision", "evidence"), JSON.Member("check", .string(statement.check)),
            JSON.Member("evidence", .string(Hexadecimal.text(random))),
        ]
        switch statement.kind {
        case .measure(let expression, let text):
            guard let healthy = RollbackDefinition.Condition(parsing: text) else {
                return .invalid(name: "healthy", reason: "expected a comparison such as >= 0.95")
            }
            body += [
                JSON.Member("kind", "measured"), JSON.Member("expr", .string(expression)),
                JSON.Member("target", .string(healthy.description)),
            ]
            do throws(QueryError) {
                let elements = try engine.elements(of: expression, at: Timestamp(milliseconds: now), from: store)
                // NaN is what a ratio without requests has: it says nothing.
                let worst =
                    elements.first { !$0.value.isNaN && !healthy.holds(for: $0.value) }
                    ?? elements.first(where: \.value.isNaN) ?? elements.first
                let outcome: EvidenceStatement.Outcome =
                    worst.map { $0.value.isNaN ? .unknown : healthy.holds(for: $0.value) ? .passed : .failed }
                    ?? .unknown
                body += [
                    JSON.Member("outcome", .string(outcome.rawValue)),
                    JSON.Member("value", worst.map { .string(FloatText.general($0.value)) } ?? .null),
                    JSON.Member("detail", .string(worst.map { $0.labels.description } ?? "no data")),
                    JSON.Member("elements", .integer(Int64(elements.count))),
                ]
            } catch {
                body += [
                    JSON.Member("outcome", .string(EvidenceStatement.Outcome.unknown.rawValue)),
                    JSON.Member("value", .null), JSON.Member("detail", .string(error.description)),
                ]
            }
        case .attest(let text, let expires):
            body += [
                JSON.Member("kind", "attested"), JSON.Member("outcome", "passed"),
                JSON.Member("value", .string(text)),
                JSON.Member("expires", .string(RFC3339.text(milliseconds: expires))),
            ]
        case .report(let outcome, let value, let target, let detail):
            body += [
                JSON.Member("kind", "reported"), JSON.Member("outcome", .string(outcome.rawValue)),
                JSON.Member("value", .string(value)), JSON.Member("target", .string(target)),
                JSON.Member("detail", .string(detail)),
            ]
        }
        let event = LedgerEvent(
            milliseconds: now, kind: .decision, subject: statement.check, body: .object(body),
            actor: LedgerActor(principal), service: statement.service)
        return history.recordDurably(event) ? .recorded(.object(body)) : .unavailable
    }
}
