internal import Database

/// The step that makes the history convenient to query: times as `timestamptz`, labels as `jsonb`, views, rollups,
/// roles and the platform's own tables.
///
/// Expand and contract: the old table of measurements stays, so that a process of the previous version can still write
/// while the step is applied. New processes write to `sample`; views and audits read both.
extension HistorySchema {
    static let postgresQueries = Migration(
        version: 5, name: "queries", up: measurementTables + views + platformTables + roles + comments,
        verify: """
            SELECT time, series, value, batch FROM sample LIMIT 0;
            SELECT time, labels, value, batch FROM measurements LIMIT 0;
            SELECT sequence, time, kind, subject, service, incident_id, body, actor, hash FROM event LIMIT 0;
            SELECT hour, service, name, samples, average, minimum, maximum FROM compliance_hour LIMIT 0
            """,
        down: """
            DROP VIEW violation_action; DROP VIEW person_action; DROP VIEW compliance_day; DROP VIEW compliance_hour;
            DROP VIEW event; DROP VIEW measurements;
            CREATE VIEW measurements AS
                SELECT to_timestamp(m.milliseconds / 1000.0) AS time, s.labels::json AS labels, m.value, m.batch
                FROM measurement m JOIN series s ON s.id = m.series;
            DROP TABLE dgm_performance_metrics; DROP TABLE dgm_improvements; DROP TABLE dgm_archive;
            DROP TABLE measurement_hour; DROP TABLE sample; DROP INDEX ledger_at; DROP INDEX series_label_set;
            ALTER TABLE series DROP COLUMN label_set
            """,
        loss: .init(
            "measurements",
            query:
                "SELECT 1 FROM sample UNION ALL SELECT 1 FROM dgm_archive UNION ALL SELECT 1 FROM dgm_improvements LIMIT 1"
        ))

    private static let measurementTables = """
        ALTER TABLE series ADD COLUMN label_set JSONB GENERATED ALWAYS AS (labels::jsonb) STORED;
        CREATE INDEX series_label_set ON series USING gin (label_set jsonb_path_ops);
        CREATE TABLE sample (
            time TIMESTAMPTZ NOT NULL,
            series BIGINT NOT NULL,
            value FLOAT8,
            batch BIGINT NOT NULL
        ) PARTITION BY RANGE (time);
        CREATE INDEX sample_series ON sample (series, time);
        CREATE INDEX sample_time ON sample USING brin (time);
        CREATE INDEX sample_batch ON sample USING brin (batch);
        CREATE INDEX ledger_at ON ledger (to_timestamp(milliseconds / 1000.0));
        CREATE TABLE measurement_hour (
            hour TIMESTAMPTZ NOT NULL,
            series BIGINT NOT NULL,
            samples BIGINT NOT NULL,
            total FLOAT8 NOT NULL,
            minimum FLOAT8 NOT NULL,
            maximum FLOAT8 NOT NULL,
            PRIMARY KEY (hour, series)
        );
        DROP VIEW measurements;
        CREATE VIEW measurements AS
            SELECT m.time, s.label_set AS labels, m.value, m.batch
            FROM (
                SELECT time, series, value, batch FROM sample
                UNION ALL
                SELECT to_timestamp(milliseconds / 1000.0), series, value, batch FROM measurement
            ) m JOIN series s ON s.id = m.series;

        """

    private static let views = """
        CREATE VIEW event AS
            SELECT sequence, to_timestamp(milliseconds / 1000.0) AS time, kind, subject, service, incident AS incident_id,
                leaf::jsonb -> 'body' AS body, leaf::jsonb -> 'actor' AS actor, encode(hash, 'hex') AS hash
            FROM ledger;
        CREATE VIEW compliance_hour AS
            SELECT h.hour, s.label_set ->> 'service' AS service, s.label_set ->> '__name__' AS name,
                s.label_set AS labels, h.samples, h.total / h.samples AS average, h.minimum, h.maximum
            FROM measurement_hour h JOIN series s ON s.id = h.series;
        CREATE VIEW compliance_day AS
            SELECT date_trunc('day', h.hour) AS day, s.label_set ->> 'service' AS service,
                s.label_set ->> '__name__' AS name, sum(h.samples) AS samples, sum(h.total) / sum(h.samples) AS average,
                min(h.minimum) AS minimum, max(h.maximum) AS maximum
            FROM measurement_hour h JOIN series s ON s.id = h.series GROUP BY 1, 2, 3;
        CREATE VIEW violation_action AS
            SELECT v.time AS violated_at, v.subject AS rule, v.service, v.incident_id, d.time AS decided_at,
                d.body AS decision, r.time AS acted_at, r.body ->> 'step' AS step, r.body ->> 'detail' AS detail
            FROM event v
            LEFT JOIN LATERAL (
                SELECT time, body, incident_id FROM event e
                WHERE e.kind = 'decision' AND e.sequence > v.sequence ORDER BY e.sequence LIMIT 1
            ) d ON true
            LEFT JOIN event r ON r.kind = 'rollback_step' AND r.incident_id = coalesce(d.incident_id, v.incident_id)
            WHERE v.kind = 'violation';
        CREATE VIEW person_action AS
            SELECT l.sequence, to_timestamp(l.milliseconds / 1000.0) AS time, d.content AS person, l.kind, l.subject,
                l.service, l.incident AS incident_id
            FROM disclosure d JOIN ledger l ON l.sequence = d.sequence;

        """

    /// The platform's tables, with the errors of its script corrected: separate indexes, the partition key in the
    /// primary key, no concurrent index on a partitioned table, and numbers that do not overflow at a million. There is
    /// no table of users to refer to.
    private static let platformTables = """
        CREATE TABLE dgm_archive (
            id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
            archive_entry_id VARCHAR(255) NOT NULL UNIQUE,
            parent_entry_id VARCHAR(255) REFERENCES dgm_archive (archive_entry_id),
            generation_number INTEGER NOT NULL DEFAULT 0,
            service_name VARCHAR(100) NOT NULL,
            problem_statement TEXT NOT NULL,
            solution_patch TEXT,
            performance_metrics JSONB NOT NULL,
            accuracy_score NUMERIC(5, 4) NOT NULL,
            constitutional_compliance_score NUMERIC(5, 4) NOT NULL,
            evaluation_results JSONB,
            status VARCHAR(50) NOT NULL DEFAULT 'active',
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            created_by UUID,
            CONSTRAINT chk_accuracy_score CHECK (accuracy_score >= 0 AND accuracy_score <= 1),
            CONSTRAINT chk_compliance_score
                CHECK (constitutional_compliance_score >= 0 AND constitutional_compliance_score <= 1)
        );
        CREATE INDEX idx_dgm_archive_service_generation ON dgm_archive (service_name, generation_number);
        CREATE INDEX idx_dgm_archive_score_desc ON dgm_archive (accuracy_score DESC);
        CREATE INDEX idx_dgm_archive_compliance ON dgm_archive (constitutional_compliance_score DESC);
        CREATE INDEX idx_dgm_archive_created_desc ON dgm_archive (created_at DESC);
        CREATE INDEX idx_dgm_archive_parent ON dgm_archive (parent_entry_id);
        CREATE INDEX idx_dgm_archive_composite_perf ON dgm_archive (service_name, accuracy_score DESC, created_at DESC)
            WHERE status = 'active';
        CREATE INDEX idx_dgm_archive_metrics_gin ON dgm_archive USING gin (performance_metrics);
        CREATE TABLE dgm_improvements (
            id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
            improvement_id VARCHAR(255) NOT NULL UNIQUE,
            service_name VARCHAR(100) NOT NULL,
            problem_statement TEXT NOT NULL,
            priority VARCHAR(20) NOT NULL DEFAULT 'medium',
            status VARCHAR(50) NOT NULL DEFAULT 'queued',
            progress INTEGER DEFAULT 0,
            max_improvement_time INTEGER DEFAULT 1800,
            constitutional_constraints JSONB,
            performance_metrics JSONB NOT NULL,
            results JSONB,
            archive_entry_id VARCHAR(255) REFERENCES dgm_archive (archive_entry_id),
            error_message TEXT,
            started_at TIMESTAMPTZ,
            completed_at TIMESTAMPTZ,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            created_by UUID,
            CONSTRAINT chk_progress CHECK (progress >= 0 AND progress <= 100),
            CONSTRAINT chk_priority CHECK (priority IN ('low', 'medium', 'high', 'critical')),
            CONSTRAINT chk_status CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled'))
        );
        CREATE INDEX idx_dgm_improvements_status_priority ON dgm_improvements (status, priority);
        CREATE INDEX idx_dgm_improvements_service_created ON dgm_improvements (service_name, created_at DESC);
        CREATE INDEX idx_dgm_improvements_active ON dgm_improvements (status) WHERE status IN ('queued', 'running');
        CREATE INDEX idx_dgm_improvements_active_priority ON dgm_improvements (priority, created_at DESC)
            WHERE status IN ('queued', 'running');
        CREATE TABLE dgm_performance_metrics (
            id UUID NOT NULL DEFAULT gen_random_uuid(),
            service_name VARCHAR(100) NOT NULL,
            metric_type VARCHAR(100) NOT NULL,
            metric_value DOUBLE PRECISION NOT NULL,
            measurement_timestamp TIMESTAMPTZ NOT NULL,
            archive_entry_id VARCHAR(255),
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            PRIMARY KEY (id, measurement_timestamp)
        ) PARTITION BY RANGE (measurement_timestamp);
        CREATE INDEX idx_dgm_performance_metrics_service
            ON dgm_performance_metrics (service_name, metric_type, measurement_timestamp DESC);

        """

    /// Roles are created only if the owner is permitted to; grants only if the roles exist.
    private static let roles = """
        DO $$
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tribune_reader') THEN
                CREATE ROLE tribune_reader NOLOGIN;
            END IF;
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tribune_writer') THEN
                CREATE ROLE tribune_writer NOLOGIN;
            END IF;
        EXCEPTION WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN NULL;
        END $$;
        DO $$
        BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tribune_reader') THEN
                EXECUTE format('GRANT USAGE ON SCHEMA %I TO tribune_reader', current_schema());
                EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO tribune_reader', current_schema());
                REVOKE ALL ON disclosure, person_action FROM tribune_reader;
            END IF;
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tribune_writer') THEN
                EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO tribune_writer', current_schema());
                EXECUTE format('GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA %I TO tribune_writer', current_schema());
                GRANT UPDATE ON log, spool, measurement_hour, dgm_archive, dgm_improvements TO tribune_writer;
                GRANT UPDATE, DELETE ON lease, rollout TO tribune_writer;
            END IF;
        END $$;

        """

    /// One comment per table and column.
    private static let comments =
        commented.map { table, comment, columns in
            let kind = views.contains("CREATE VIEW \(table) ") || table == "measurements" ? "VIEW" : "TABLE"
            let lines = columns.map { "COMMENT ON COLUMN \(table).\($0) IS '\($1)';" }
            return (["COMMENT ON \(kind) \(table) IS '\(comment)';"] + lines).joined(separator: "\n")
        }.joined(separator: "\n")

    private static let commented: [(String, String, KeyValuePairs<String, String>)] = [
        (
            "log", "The end of the ledger. One row.",
            [
                "id": "Always 1.", "origin": "Name of the ledger in its checkpoints.", "size": "Number of entries.",
                "epoch": "Counts take-overs; only the latest owner may append.",
                "next_series": "Number of the next new series.",
                "frontier": "Roots of the perfect subtrees of the Merkle tree, largest first.",
                "previous": "Hash of the last entry.",
            ]
        ),
        (
            "ledger", "Entries of the tamper-evident record. The leaf counts; the other columns are copies.",
            [
                "sequence": "Number of the entry, from 1.", "milliseconds": "Time of the event since 1970-01-01 UTC.",
                "kind": "Kind of the event.", "subject": "Rule, plan or alert concerned.",
                "leaf": "The hashed text, canonical JSON.",
                "hash": "SHA-256(0x00 || leaf).", "incident": "Joins the entries of one incident.",
                "service": "Service concerned.",
            ]
        ),
        (
            "checkpoint", "Signed checkpoints.",
            ["size": "Number of entries covered.", "note": "The signed note (C2SP)."]
        ),
        (
            "tree_node", "Roots of perfect subtrees of 256, 65536, … entries.",
            [
                "level": "The subtree covers 2^level entries.", "position": "Counts subtrees of the level from 0.",
                "hash": "Root.",
            ]
        ),
        (
            "node_key", "Keys that sign checkpoints. Being listed proves nothing.",
            [
                "key": "name+id+key.", "node": "Node that holds it, by its own account.",
                "first_size": "Size of the ledger when it was added.",
                "certificate": "Certificate of the root key, or empty.",
            ]
        ),
        (
            "disclosure", "Texts about persons, which can be erased. Leaves hold commitments to them.",
            [
                "sequence": "The entry.", "commitment": "SHA-256(salt || content).", "salt": "16 random bytes.",
                "content": "The text.",
            ]
        ),
        ("blob", "Contents that entries refer to.", ["hash": "SHA-256 of the content.", "content": "The content."]),
        (
            "witness", "Statements of others about checkpoints.",
            [
                "size": "Size of the checkpoint.", "kind": "Kind of the statement.",
                "milliseconds": "Time since 1970-01-01 UTC.",
                "content": "The statement.",
            ]
        ),
        (
            "spool", "How far the ledger has each spool.",
            ["identity": "The spool.", "sequence": "Its last record in the ledger."]
        ),
        (
            "series", "Series of measurements.",
            [
                "id": "Number.", "digest": "SHA-256 of the labels.", "labels": "Canonical JSON, as hashed.",
                "label_set": "The labels, for queries such as label_set @> ''{\"service\":\"auth\"}''.",
            ]
        ),
        (
            "sample", "Measurements, partitioned by month.",
            [
                "time": "Time of the measurement.", "series": "The series.", "value": "The value.",
                "batch": "Entry that vouches for it.",
            ]
        ),
        (
            "measurement", "Measurements written by versions before step 5.",
            [
                "batch": "Entry that vouches for it.", "series": "The series.",
                "milliseconds": "Time since 1970-01-01 UTC.",
                "value": "The value.",
            ]
        ),
        (
            "measurement_hour", "Hourly rollup of measurements.",
            [
                "hour": "Start of the hour.", "series": "The series.", "samples": "Number of values.",
                "total": "Their sum.",
                "minimum": "Their minimum.", "maximum": "Their maximum.",
            ]
        ),
        (
            "lease", "The lease over the rollouts. One row.",
            ["holder": "Node that holds it.", "epoch": "Counts changes of the holder."]
        ),
        (
            "rollout", "Last journal record of each plan.",
            ["plan": "The plan.", "epoch": "Epoch of the writer.", "record": "The record."]
        ),
        ("dgm_archive", "The platform''s archive of improvements.", [:]),
        ("dgm_improvements", "The platform''s improvements and their progress.", [:]),
        ("dgm_performance_metrics", "The platform''s performance metrics, partitioned by month.", [:]),
        ("measurements", "All measurements with their labels.", [:]),
        ("event", "Entries of the ledger as columns and jsonb.", [:]),
        ("compliance_hour", "Hourly rollup with labels.", [:]),
        ("compliance_day", "Daily rollup per service and metric.", [:]),
        ("violation_action", "Every violation with the decision and the rollback steps that followed.", [:]),
        ("person_action", "Who is named by which entry. Erased texts are missing.", [:]),
    ]

    static let sqliteQueries = Migration(
        version: 4, name: "queries",
        up: """
            CREATE TABLE measurement_hour (
                hour INTEGER NOT NULL, series INTEGER NOT NULL, samples INTEGER NOT NULL, total REAL NOT NULL,
                minimum REAL NOT NULL, maximum REAL NOT NULL, PRIMARY KEY (hour, series)
            ) WITHOUT ROWID;
            CREATE VIEW measurements AS
                SELECT strftime('%Y-%m-%dT%H:%M:%fZ', m.milliseconds / 1000.0, 'unixepoch') AS time, s.labels, m.value, m.batch
                FROM measurement m JOIN series s ON s.id = m.series;
            CREATE VIEW event AS
                SELECT sequence, strftime('%Y-%m-%dT%H:%M:%fZ', milliseconds / 1000.0, 'unixepoch') AS time, kind, subject,
                    service, incident AS incident_id, json_extract(leaf, '$.body') AS body,
                    json_extract(leaf, '$.actor') AS actor, lower(hex(hash)) AS hash
                FROM ledger;
            """,
        verify:
            "SELECT time, labels, value, batch FROM measurements LIMIT 0; SELECT time, kind, body FROM event LIMIT 0",
        down: "DROP VIEW event; DROP VIEW measurements; DROP TABLE measurement_hour")
}
