/// The entries that the demo's history must have for one incident, read with SQL.
struct DemoRecord {
    /// The kinds of entries that an auditor looks for, with the text of the entry found; `nil` for a missing one.
    let found: [(kind: String, entry: String?)]

    private static let kinds = ["violation", "decision", "shift", "notification"]

    /// Whether every kind was found.
    var isComplete: Bool { found.allSatisfy { $0.entry != nil } }

    /// Reads the entries of `incident` from `database`.
    init(of incident: String, in database: DemoDatabase) throws(CommandFailure) {
        let rows = try database.rows(of: Self.sql(incident))
        found = Self.kinds.map { kind in
            (kind, rows.first { $0.hasPrefix("\(kind)|") }.map { String($0.dropFirst(kind.count + 1)) })
        }
    }

    /// One row for each kind of entry of the incident: kind, number in the ledger, time, text. Violation and decision
    /// are found by plan and rule hash, the steps by the incident's name.
    static func sql(_ incident: String) -> String {
        let name = incident.replacing("'", with: "''")
        return """
            WITH entry AS (
                SELECT sequence, time, kind, body FROM tribune.event
            ), incident AS (
                SELECT body ->> 'plan' AS plan, body #>> '{causes,0,trip,rule_hash}' AS rule_hash, time
                FROM entry WHERE kind = 'rollback_step' AND body ->> 'rollback' = '\(name)' ORDER BY sequence LIMIT 1
            ), wanted AS (
                SELECT 'violation' AS what, e.*, body ->> 'labels' AS text FROM entry e, incident i
                WHERE kind = 'violation' AND body ->> 'plan' = i.plan AND body ->> 'rule_hash' = i.rule_hash
                UNION ALL
                SELECT 'decision', e.*, body ->> 'decision' FROM entry e, incident i
                WHERE kind = 'decision' AND body ->> 'plan' = i.plan
                    AND body #>> '{cause,trip,rule_hash}' = i.rule_hash
                UNION ALL
                SELECT 'shift', e.*, body ->> 'detail' FROM entry e
                WHERE kind = 'rollback_step' AND body ->> 'rollback' = '\(name)' AND body ->> 'step' = 'shifted'
                UNION ALL
                SELECT 'notification', e.*, body ->> 'integration' FROM entry e, incident i
                WHERE kind = 'alert' AND body ->> 'state' = 'delivered' AND body ->> 'integration' = 'pagerduty'
                    AND e.time >= i.time
            )
            SELECT DISTINCT ON (what) what, 'entry ' || sequence, time AT TIME ZONE 'UTC', text
            FROM wanted ORDER BY what, sequence
            """
    }
}
