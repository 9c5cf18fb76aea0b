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

    /// One row for each kind of entry of the incident to which the rollback called `rollback` belongs: kind, number in
    /// the ledger, time, text.
    static func sql(_ rollback: String) -> String {
        let name = rollback.replacing("'", with: "''")
        return """
            WITH wanted AS (
                SELECT sequence, time,
                    CASE kind WHEN 'rollback_step' THEN 'shift' WHEN 'alert' THEN 'notification' ELSE kind END AS what,
                    CASE kind WHEN 'violation' THEN body ->> 'labels' WHEN 'decision' THEN body ->> 'decision'
                        WHEN 'rollback_step' THEN body ->> 'detail' ELSE body ->> 'integration' END AS text
                FROM tribune.event
                WHERE incident_id = (
                        SELECT incident_id FROM tribune.event
                        WHERE kind = 'rollback_step' AND body ->> 'rollback' = '\(name)' ORDER BY sequence LIMIT 1)
                    AND (kind IN ('violation', 'decision')
                        OR kind = 'rollback_step' AND body ->> 'step' = 'shifted'
                        OR kind = 'alert' AND body ->> 'state' = 'delivered' AND body ->> 'integration' LIKE 'pagerduty/%')
            )
            SELECT DISTINCT ON (what) what, 'entry ' || sequence, time AT TIME ZONE 'UTC', text
            FROM wanted ORDER BY what, sequence
            """
    }
}
