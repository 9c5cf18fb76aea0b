internal import Database

/// The step that remembers how much of the ledger has been sent elsewhere.
extension HistorySchema {
    static let postgresStreams = Migration(
        version: 7, name: "streams",
        up: """
            CREATE TABLE stream (name TEXT PRIMARY KEY, sequence BIGINT NOT NULL);
            DO $$
            BEGIN
                IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tribune_reader') THEN
                    GRANT SELECT ON stream TO tribune_reader;
                END IF;
                IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tribune_writer') THEN
                    GRANT SELECT, INSERT, UPDATE ON stream TO tribune_writer;
                END IF;
            END $$;
            COMMENT ON TABLE stream IS 'How much of the ledger has been sent elsewhere.';
            COMMENT ON COLUMN stream.name IS 'The address of the receiver.';
            COMMENT ON COLUMN stream.sequence IS 'The last entry that was sent.';
            """,
        verify: "SELECT name, sequence FROM stream LIMIT 0", down: "DROP TABLE stream",
        loss: .init("how much of the ledger was sent elsewhere", query: "SELECT 1 FROM stream LIMIT 1"))

    static let sqliteStreams = Migration(
        version: 6, name: "streams",
        up: "CREATE TABLE stream (name TEXT PRIMARY KEY, sequence INTEGER NOT NULL) WITHOUT ROWID;",
        verify: "SELECT name, sequence FROM stream LIMIT 0", down: "DROP TABLE stream",
        loss: .init("how much of the ledger was sent elsewhere", query: "SELECT 1 FROM stream LIMIT 1"))
}
