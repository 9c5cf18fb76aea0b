internal import Glibc
internal import JSON

/// Checks the evidence of the demo's rollback: the pager, the database of the history, and a Prometheus.
struct DemoEvidence {
    /// The maximum number of attempts.
    private static let patience = 300

    let incident: String
    let pager: DemoPager
    let database: DemoDatabase?
    /// The URL of the Prometheus that scrapes Tribune; `nil` if there is none.
    let prometheus: String?

    /// Checks all of them until they agree, at most 30 s, and prints the results.
    func verify(say: (String) -> Void, tell: (String) -> Void) throws(CommandFailure) -> Bool {
        var isPaged = false
        var record: DemoRecord?
        var rollbacks: String?
        for _ in 0..<Self.patience {
            isPaged = pager.inbox.events.contains { $0.action == "trigger" }
            if let database { record = try DemoRecord(of: incident, in: database) }
            if let prometheus { rollbacks = try countedRollbacks(prometheus) }
            if isPaged, record?.isComplete != false, prometheus == nil || rollbacks != nil { break }
            usleep(100_000)
        }
        let refusals = pager.inbox.refusals
        for refusal in refusals { tell("pager     refused an event: \(refusal)") }
        if !isPaged { tell("pager     received no event") }
        if let record {
            say("The record of \(incident), in SQL")
            for (kind, entry) in record.found { tell("\(kind): \(entry ?? "MISSING")") }
        }
        if prometheus != nil { tell("Prometheus has counted \(rollbacks ?? "no") rollback") }
        let isCounted = prometheus == nil || rollbacks != nil
        return isPaged && refusals.isEmpty && record?.isComplete != false && isCounted
    }

    /// The number of rollbacks that Prometheus has scraped from Tribune; `nil` before the first.
    private func countedRollbacks(_ server: String) throws(CommandFailure) -> String? {
        let answer = try APIClient(server).post("query", [("query", "sum(tribune_rollbacks_total) > 0")])
        return answer["data"]?["result"]?.elements?.first?["value"]?.elements?.last?.text
    }
}
