internal import Database

/// The step that keeps daily rollups, joins violations to what followed by their incident, and comments every column.
extension HistorySchema {
    static let postgresIncidents = Migration(
        version: 6, name: "incidents", up: dayTable + incidentViews + incidentGrants + incidentComments,
        verify: """
            SELECT day, series, samples, total, minimum, maximum FROM measurement_day LIMIT 0;
            SELECT day, service, name, samples, average, minimum, maximum FROM compliance_day LIMIT 0;
            SELECT violated_at, rule, service, incident_id, decided_at, decision, acted_at, step, detail
            FROM violation_action LIMIT 0;
            SELECT incident_id, began_at, ended_at, service, violations, decisions, steps, notifications
            FROM incident LIMIT 0
            """,
        down: """
            DROP VIEW incident;
            CREATE OR REPLACE VIEW compliance_day AS
                SELECT date_trunc('day', h.hour) AS day, s.label_set ->> 'service' AS service,
                    s.label_set ->> '__name__' AS name, sum(h.samples) AS samples,
                    sum(h.total) / sum(h.samples) AS average, min(h.minimum) AS minimum, max(h.maximum) AS maximum
                FROM measurement_hour h JOIN series s ON s.id = h.series GROUP BY 1, 2, 3;
            CREATE OR REPLACE VIEW violation_action AS
                SELECT v.time AS violated_at, v.subject AS rule, v.service, v.incident_id, d.time AS decided_at,
                    d.body AS decision, r.time AS acted_at, r.body ->> 'step' AS step, r.body ->> 'detail' AS detail
                FROM event v
                LEFT JOIN LATERAL (
                    SELECT time, body, incident_id FROM event e
                    WHERE e.kind = 'decision' AND e.sequence > v.sequence ORDER BY e.sequence LIMIT 1
                ) d ON true
                LEFT JOIN event r ON r.kind = 'rollback_step' AND r.incident_id = coalesce(d.incident_id, v.incident_id)
                WHERE v.kind = 'violation';
            DROP TABLE measurement_day
            """)

    static let sqliteIncidents = Migration(
        version: 5, name: "incidents",
        up: """
            CREATE TABLE measurement_day (
                day INTEGER NOT NULL, series INTEGER NOT NULL, samples INTEGER NOT NULL, total REAL NOT NULL,
                minimum REAL NOT NULL, maximum REAL NOT NULL, PRIMARY KEY (day, series)
            ) WITHOUT ROWID;
            """,
        verify: "SELECT day, series, samples, total, minimum, maximum FROM measurement_day LIMIT 0",
        down: "DROP TABLE measurement_day")

    private static let dayTable = """
        CREATE TABLE measurement_day (
            day TIMESTAMPTZ NOT NULL,
            series BIGINT NOT NULL,
            samples BIGINT NOT NULL,
            total FLOAT8 NOT NULL,
            minimum FLOAT8 NOT NULL,
            maximum FLOAT8 NOT NULL,
            PRIMARY KEY (day, series)
        );
        CREATE INDEX dgm_performance_metrics_archive ON dgm_performance_metrics (archive_entry_id);

        """

    /// The columns keep their names and types, as `CREATE OR REPLACE` wants it.
    private static let incidentViews = """
        CREATE OR REPLACE VIEW compliance_day AS
            SELECT d.day, s.label_set ->> 'service' AS service, s.label_set ->> '__name__' AS name,
                sum(d.samples) AS samples, sum(d.total) / sum(d.samples) AS average, min(d.minimum) AS minimum,
                max(d.maximum) AS maximum
            FROM measurement_day d JOIN series s ON s.id = d.series GROUP BY 1, 2, 3;
        CREATE OR REPLACE VIEW violation_action AS
            SELECT v.time AS violated_at, v.subject AS rule, v.service, v.incident_id, d.time AS decided_at,
                d.body AS decision, r.time AS acted_at, r.body ->> 'step' AS step, r.body ->> 'detail' AS detail
            FROM event v
            LEFT JOIN event d ON d.incident_id = v.incident_id AND d.kind = 'decision'
            LEFT JOIN event r ON r.incident_id = v.incident_id AND r.kind = 'rollback_step'
            WHERE v.kind = 'violation';
        CREATE VIEW incident AS
            SELECT incident AS incident_id, to_timestamp(min(milliseconds) / 1000.0) AS began_at,
                to_timestamp(max(milliseconds) / 1000.0) AS ended_at, min(service) AS service,
                count(*) FILTER (WHERE kind = 'violation') AS violations,
                count(*) FILTER (WHERE kind = 'decision') AS decisions,
                count(*) FILTER (WHERE kind = 'rollback_step') AS steps,
                count(*) FILTER (WHERE kind = 'alert') AS notifications
            FROM ledger WHERE incident IS NOT NULL GROUP BY incident;

        """

    private static let incidentGrants = """
        DO $$
        BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tribune_reader') THEN
                GRANT SELECT ON measurement_day, incident TO tribune_reader;
            END IF;
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tribune_writer') THEN
                GRANT SELECT, INSERT, UPDATE ON measurement_day TO tribune_writer;
                GRANT SELECT ON incident TO tribune_writer;
            END IF;
        END $$;

        """

    private static let incidentComments =
        [
            "COMMENT ON TABLE measurement_day IS 'Daily rollup of measurements.';",
            "COMMENT ON VIEW incident IS 'Incidents with the number of their entries.';",
            migrationComments,
        ].joined(separator: "\n")
        + commentedColumns.map { table, columns in
            columns.map { "\nCOMMENT ON COLUMN \(table).\($0) IS '\($1)';" }.joined()
        }.joined()

    /// The migrator makes the table of steps, so that it is not there where only the steps are run.
    private static let migrationComments = """
        DO $$
        BEGIN
            IF to_regclass('schema_migration') IS NOT NULL THEN
                COMMENT ON TABLE schema_migration IS 'Applied schema steps.';
                COMMENT ON COLUMN schema_migration.version IS 'Number of the step.';
                COMMENT ON COLUMN schema_migration.name IS 'Its name.';
                COMMENT ON COLUMN schema_migration.checksum IS 'SHA-256 of its scripts.';
                COMMENT ON COLUMN schema_migration.milliseconds IS 'When it was applied, since 1970-01-01 UTC.';
            END IF;
        END $$;
        """

    private static let rollup: KeyValuePairs = [
        "samples": "Number of values.", "total": "Their sum.", "minimum": "Their minimum.", "maximum": "Their maximum.",
    ]

    private static let compliance: KeyValuePairs = [
        "service": "The label service.", "name": "The metric.", "samples": "Number of values.",
        "average": "Their average.", "minimum": "Their minimum.", "maximum": "Their maximum.",
    ]

    private static let commentedColumns: [(String, KeyValuePairs<String, String>)] = [
        ("measurement_day", ["day": "Start of the day, UTC.", "series": "The series."]), ("measurement_day", rollup),
        (
            "lease",
            [
                "id": "Always 1.", "renewals": "Counts renewals.",
                "expires": "When the lease ends, milliseconds since 1970-01-01 UTC.",
            ]
        ),
        (
            "measurements",
            [
                "time": "Time of the measurement.", "labels": "The labels.", "value": "The value.",
                "batch": "Entry that vouches for it.",
            ]
        ),
        (
            "event",
            [
                "sequence": "Number of the entry.", "time": "Time of the event.", "kind": "Kind of the event.",
                "subject": "Rule, plan or alert concerned.", "service": "Service concerned.",
                "incident_id": "Joins the entries of one incident, from the violation to the notifications.",
                "body": "Particulars.", "actor": "Who caused it; texts are commitments.",
                "hash": "Hash of the leaf, hexadecimal.",
            ]
        ),
        ("compliance_hour", ["hour": "Start of the hour.", "labels": "All labels."]), ("compliance_hour", compliance),
        ("compliance_day", ["day": "Start of the day, UTC."]), ("compliance_day", compliance),
        (
            "violation_action",
            [
                "violated_at": "Time of the violation.", "rule": "The rule.", "service": "The service.",
                "incident_id": "The incident.", "decided_at": "Time of a decision of the incident.",
                "decision": "The decision.", "acted_at": "Time of a rollback step of the incident.",
                "step": "The step.", "detail": "Its particulars.",
            ]
        ),
        (
            "incident",
            [
                "incident_id": "The incident.", "began_at": "Its first entry.", "ended_at": "Its last entry.",
                "service": "A service concerned.", "violations": "Number of violations.",
                "decisions": "Number of decisions.", "steps": "Number of rollback steps.",
                "notifications": "Number of alerts and notifications.",
            ]
        ),
        (
            "person_action",
            [
                "sequence": "Number of the entry.", "time": "Time of the event.", "person": "The text.",
                "kind": "Kind of the event.", "subject": "Rule, plan or alert concerned.",
                "service": "Service concerned.", "incident_id": "The incident.",
            ]
        ),
        (
            "dgm_archive",
            [
                "id": "Key.", "archive_entry_id": "Id of the analysis.",
                "parent_entry_id": "The entry before of the same service.",
                "generation_number": "Counts the entries of a service from 0.", "service_name": "The service.",
                "problem_statement": "What was analysed, with the reason of the verdict.",
                "solution_patch": "The commit or version that was analysed, where the caller named it.",
                "performance_metrics": "Per metric what was seen of the candidate.",
                "accuracy_score": "Share of the metrics that passed.",
                "constitutional_compliance_score":
                    "Median of the candidate''s compliance metric; the share that passed where none was analysed.",
                "evaluation_results": "The analysis.", "status": "active.", "created_at": "Time of the analysis.",
                "updated_at": "Time of the last change.", "created_by": "Not used: there is no table of users.",
            ]
        ),
        (
            "dgm_improvements",
            [
                "id": "Key.", "improvement_id": "Id of the improvement.", "service_name": "The service.",
                "problem_statement": "Its title and description.", "priority": "low, medium, high or critical.",
                "status": "queued, running, completed, failed or cancelled.", "progress": "Percent.",
                "max_improvement_time": "Seconds.", "constitutional_constraints": "As the caller gave them.",
                "performance_metrics": "As the caller gave them.", "results": "What the executor reported.",
                "archive_entry_id": "The analysis that asked for it.", "error_message": "Why it failed.",
                "started_at": "When the executor began.", "completed_at": "When it ended.",
                "created_at": "When it was asked for.", "created_by": "Not used: there is no table of users.",
            ]
        ),
        (
            "dgm_performance_metrics",
            [
                "id": "Key, with the time.", "service_name": "The service.",
                "metric_type": "The metric, or candidate_weight from a checkpoint.", "metric_value": "The value.",
                "measurement_timestamp": "When it was measured.", "archive_entry_id": "The analysis it belongs to.",
                "created_at": "When the row was written.",
            ]
        ),
    ]
}
