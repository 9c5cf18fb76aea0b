internal import Database

/// The schema of the history. Released steps are never edited.
enum HistorySchema {
    /// The steps for SQLite.
    static let sqlite = MigrationSet(
        table: "schema_migration", steps: sqliteSteps + [sqliteQueries, sqliteIncidents, sqliteStreams])
    /// The steps for PostgreSQL.
    static let postgres = MigrationSet(
        table: "schema_migration", steps: postgresSteps + [postgresQueries, postgresIncidents, postgresStreams])

    private static let sqliteSteps = [
        Migration(
            version: 1, name: "ledger",
            up: """
                CREATE TABLE log (
                    id INTEGER PRIMARY KEY CHECK (id = 1),
                    origin TEXT NOT NULL,
                    size INTEGER NOT NULL,
                    epoch INTEGER NOT NULL,
                    next_series INTEGER NOT NULL,
                    frontier BLOB NOT NULL,
                    previous BLOB NOT NULL
                );
                CREATE TABLE ledger (
                    sequence INTEGER PRIMARY KEY,
                    milliseconds INTEGER NOT NULL,
                    kind TEXT NOT NULL,
                    subject TEXT NOT NULL,
                    leaf TEXT NOT NULL,
                    hash BLOB NOT NULL
                );
                CREATE INDEX ledger_kind ON ledger (kind, sequence);
                CREATE INDEX ledger_time ON ledger (milliseconds);
                CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, note TEXT NOT NULL);
                CREATE TABLE spool (identity TEXT PRIMARY KEY, sequence INTEGER NOT NULL) WITHOUT ROWID;
                """,
            verify: ledgerVerification,
            down: "DROP TABLE log; DROP TABLE ledger; DROP TABLE checkpoint; DROP TABLE spool", isPermanent: true),
        Migration(
            version: 2, name: "measurements",
            up: """
                CREATE TABLE series (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, labels TEXT NOT NULL);
                CREATE TABLE measurement (
                    batch INTEGER NOT NULL,
                    series INTEGER NOT NULL,
                    milliseconds INTEGER NOT NULL,
                    value REAL
                );
                CREATE INDEX measurement_time ON measurement (milliseconds);
                CREATE INDEX measurement_series ON measurement (series, milliseconds);
                CREATE INDEX measurement_batch ON measurement (batch);
                """,
            verify: measurementVerification,
            down: "DROP TABLE measurement; DROP TABLE series", loss: measurementLoss),
        Migration(
            version: 3, name: "evidence",
            up: """
                ALTER TABLE ledger ADD COLUMN incident TEXT;
                ALTER TABLE ledger ADD COLUMN service TEXT;
                CREATE INDEX ledger_incident ON ledger (incident, sequence) WHERE incident IS NOT NULL;
                CREATE INDEX ledger_service ON ledger (service, sequence) WHERE service IS NOT NULL;
                CREATE TABLE tree_node (
                    level INTEGER NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, position)
                ) WITHOUT ROWID;
                CREATE TABLE node_key (
                    key TEXT PRIMARY KEY, node TEXT NOT NULL, first_size INTEGER NOT NULL, certificate TEXT NOT NULL
                ) WITHOUT ROWID;
                CREATE TABLE disclosure (
                    sequence INTEGER NOT NULL, commitment BLOB NOT NULL, salt BLOB NOT NULL, content TEXT NOT NULL,
                    PRIMARY KEY (sequence, commitment)
                ) WITHOUT ROWID;
                CREATE INDEX disclosure_content ON disclosure (content);
                CREATE TABLE blob (hash BLOB PRIMARY KEY, content BLOB NOT NULL);
                CREATE TABLE witness (
                    size INTEGER NOT NULL, kind TEXT NOT NULL, milliseconds INTEGER NOT NULL, content BLOB NOT NULL,
                    PRIMARY KEY (size, kind)
                );
                """,
            verify: evidenceVerification, down: evidenceDown, loss: evidenceLoss),
    ]

    private static let postgresSteps = [
        Migration(
            version: 1, name: "ledger",
            up: """
                CREATE TABLE log (
                    id BIGINT PRIMARY KEY CHECK (id = 1),
                    origin TEXT NOT NULL,
                    size BIGINT NOT NULL,
                    epoch BIGINT NOT NULL,
                    next_series BIGINT NOT NULL,
                    frontier BYTEA NOT NULL,
                    previous BYTEA NOT NULL
                );
                CREATE TABLE ledger (
                    sequence BIGINT PRIMARY KEY,
                    milliseconds BIGINT NOT NULL,
                    kind TEXT NOT NULL,
                    subject TEXT NOT NULL,
                    leaf TEXT NOT NULL,
                    hash BYTEA NOT NULL
                );
                CREATE INDEX ledger_kind ON ledger (kind, sequence);
                CREATE INDEX ledger_time ON ledger USING brin (milliseconds);
                CREATE TABLE checkpoint (size BIGINT PRIMARY KEY, note TEXT NOT NULL);
                CREATE TABLE spool (identity TEXT PRIMARY KEY, sequence BIGINT NOT NULL);
                """,
            verify: ledgerVerification,
            down: "DROP TABLE log; DROP TABLE ledger; DROP TABLE checkpoint; DROP TABLE spool", isPermanent: true),
        Migration(
            version: 2, name: "measurements",
            up: """
                CREATE TABLE series (id BIGINT PRIMARY KEY, digest BYTEA NOT NULL UNIQUE, labels TEXT NOT NULL);
                CREATE TABLE measurement (
                    batch BIGINT NOT NULL,
                    series BIGINT NOT NULL,
                    milliseconds BIGINT NOT NULL,
                    value FLOAT8
                ) PARTITION BY RANGE (milliseconds);
                CREATE INDEX measurement_time ON measurement USING brin (milliseconds);
                CREATE INDEX measurement_series ON measurement (series, milliseconds);
                CREATE INDEX measurement_batch ON measurement USING brin (batch);
                CREATE VIEW measurements AS
                    SELECT to_timestamp(m.milliseconds / 1000.0) AS time, s.labels::json AS labels, m.value, m.batch
                    FROM measurement m JOIN series s ON s.id = m.series;
                """,
            verify: measurementVerification + ";\nSELECT time, labels, value, batch FROM measurements LIMIT 0",
            down: "DROP VIEW measurements; DROP TABLE measurement; DROP TABLE series", loss: measurementLoss),
        Migration(
            version: 3, name: "lease",
            up: """
                CREATE TABLE lease (
                    id BIGINT PRIMARY KEY CHECK (id = 1),
                    holder TEXT NOT NULL,
                    epoch BIGINT NOT NULL,
                    renewals BIGINT NOT NULL,
                    expires BIGINT NOT NULL
                );
                INSERT INTO lease (id, holder, epoch, renewals, expires) VALUES (1, '', 0, 0, 0);
                CREATE TABLE rollout (plan TEXT PRIMARY KEY, epoch BIGINT NOT NULL, record TEXT NOT NULL);
                """,
            verify: """
                SELECT id, holder, epoch, renewals, expires FROM lease LIMIT 0;
                SELECT plan, epoch, record FROM rollout LIMIT 0
                """,
            down: "DROP TABLE lease; DROP TABLE rollout",
            loss: .init(
                "the lease and the state of rollouts",
                query: "SELECT 1 FROM rollout UNION ALL SELECT 1 FROM lease WHERE holder <> '' LIMIT 1")),
        Migration(
            version: 4, name: "evidence",
            up: """
                ALTER TABLE ledger ADD COLUMN incident TEXT;
                ALTER TABLE ledger ADD COLUMN service TEXT;
                CREATE INDEX ledger_incident ON ledger (incident, sequence) WHERE incident IS NOT NULL;
                CREATE INDEX ledger_service ON ledger (service, sequence) WHERE service IS NOT NULL;
                CREATE TABLE tree_node (
                    level BIGINT NOT NULL, position BIGINT NOT NULL, hash BYTEA NOT NULL, PRIMARY KEY (level, position)
                );
                CREATE TABLE node_key (
                    key TEXT PRIMARY KEY, node TEXT NOT NULL, first_size BIGINT NOT NULL, certificate TEXT NOT NULL
                );
                CREATE TABLE disclosure (
                    sequence BIGINT NOT NULL, commitment BYTEA NOT NULL, salt BYTEA NOT NULL, content TEXT NOT NULL,
                    PRIMARY KEY (sequence, commitment)
                );
                CREATE INDEX disclosure_content ON disclosure USING hash (content);
                CREATE TABLE blob (hash BYTEA PRIMARY KEY, content BYTEA NOT NULL);
                CREATE TABLE witness (
                    size BIGINT NOT NULL, kind TEXT NOT NULL, milliseconds BIGINT NOT NULL, content BYTEA NOT NULL,
                    PRIMARY KEY (size, kind)
                );
                """,
            verify: evidenceVerification, down: evidenceDown, loss: evidenceLoss),
    ]

    private static let measurementLoss = Migration.Loss("measurements", query: "SELECT 1 FROM measurement LIMIT 1")

    private static let ledgerVerification = """
        SELECT id, origin, size, epoch, next_series, frontier, previous FROM log LIMIT 0;
        SELECT sequence, milliseconds, kind, subject, leaf, hash FROM ledger LIMIT 0;
        SELECT size, note FROM checkpoint LIMIT 0;
        SELECT identity, sequence FROM spool LIMIT 0
        """

    private static let measurementVerification = """
        SELECT id, digest, labels FROM series LIMIT 0;
        SELECT batch, series, milliseconds, value FROM measurement LIMIT 0
        """

    private static let evidenceVerification = """
        SELECT incident, service FROM ledger LIMIT 0;
        SELECT level, position, hash FROM tree_node LIMIT 0;
        SELECT key, node, first_size, certificate FROM node_key LIMIT 0;
        SELECT sequence, commitment, salt, content FROM disclosure LIMIT 0;
        SELECT hash, content FROM blob LIMIT 0;
        SELECT size, kind, milliseconds, content FROM witness LIMIT 0
        """

    private static let evidenceDown = """
        DROP TABLE tree_node; DROP TABLE node_key; DROP TABLE disclosure; DROP TABLE blob; DROP TABLE witness;
        DROP INDEX ledger_incident; DROP INDEX ledger_service;
        ALTER TABLE ledger DROP COLUMN incident; ALTER TABLE ledger DROP COLUMN service
        """

    private static let evidenceLoss = Migration.Loss(
        "texts about persons, configurations and keys",
        query: """
            SELECT 1 FROM disclosure UNION ALL SELECT 1 FROM blob UNION ALL SELECT 1 FROM node_key
            UNION ALL SELECT 1 FROM witness LIMIT 1
            """)
}
