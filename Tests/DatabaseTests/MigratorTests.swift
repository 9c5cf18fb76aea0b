import Database
import TestSupport
import Testing

@Suite struct MigratorTests {
    private let directory = TemporaryDirectory()

    private static let steps = [
        Migration(
            version: 1, name: "one", up: "CREATE TABLE one (a BIGINT)", verify: "SELECT a FROM one LIMIT 0",
            down: "DROP TABLE one", isPermanent: true),
        Migration(
            version: 2, name: "two", up: "CREATE TABLE two (a BIGINT)", verify: "SELECT a FROM two LIMIT 0",
            down: "DROP TABLE two", loss: .init("pairs", query: "SELECT 1 FROM two")),
    ]

    private func migrator(
        _ database: any SQLDatabase, _ steps: [Migration] = steps, table: String = "steps"
    ) -> Migrator {
        Migrator(database, MigrationSet(table: table, steps: steps), now: 7)
    }

    private func databases() throws -> [(any SQLDatabase, PostgresServer?)] {
        let sqlite = try SQLiteDatabase(path: directory.file("\(Int.random(in: 0..<Int.max)).db"))
        guard PostgresServer.programDirectory != nil else { return [(sqlite, nil)] }
        let server = try PostgresServer()
        return [(sqlite, nil), (try PostgresDatabase(address: server.address), server)]
    }

    private func code(_ body: () throws -> Void) -> DatabaseError.Code? {
        do { try body() } catch { return (error as? DatabaseError)?.code }
        return nil
    }

    @Test func `steps are listed, applied once, verified and undone`() throws {
        for (database, server) in try databases() {
            let migrator = migrator(database)
            #expect(try migrator.pending().map(\.name) == ["one", "two"])
            #expect(try database.hasTable("steps") == false, "listing changes nothing")
            #expect(code { try migrator.verify() } == .schema)
            #expect(try migrator.migrate().map(\.name) == ["one", "two"])
            #expect(try migrator.pending() == [])
            #expect(try migrator.migrate() == [])
            try migrator.verify()
            try database.run("INSERT INTO two VALUES (1)")
            #expect(code { _ = try migrator.rollback(discarding: false) } == .refused)
            #expect(try database.rows("SELECT a FROM two") == [[.integer(1)]])
            #expect(try migrator.rollback(discarding: true)?.name == "two")
            #expect(code { _ = try migrator.rollback(discarding: true) } == .refused, "the first step is permanent")
            #expect(try migrator.pending().map(\.name) == ["two"])
            #expect(try database.rows("SELECT version, milliseconds FROM steps") == [[.integer(1), .integer(7)]])
            server?.stop()
        }
    }

    @Test func `sets with tables of their own do not disturb each other`() throws {
        let database = try SQLiteDatabase(path: directory.file("sets.db"))
        let other = Migration(
            version: 1, name: "other", up: "CREATE TABLE other (a)", verify: "SELECT a FROM other",
            down: "DROP TABLE other")
        _ = try migrator(database).migrate()
        #expect(try migrator(database, [other], table: "other_steps").migrate() == [other])
        #expect(try migrator(database, [other], table: "other_steps").rollback(discarding: false) == other)
        try migrator(database).verify()
    }

    @Test func `an edited step is refused unless its former checksum is known`() throws {
        let database = try SQLiteDatabase(path: directory.file("edited.db"))
        _ = try migrator(database).migrate()
        var edited = Self.steps
        edited[1].up += " "
        #expect(code { try migrator(database, edited).verify() } == .schema)
        edited[1].formerChecksums = [Self.steps[1].checksum]
        try migrator(database, edited).verify()
        #expect(code { try migrator(database, [Self.steps[0]]).verify() } == .schema, "a newer schema")
    }

    @Test func `times and JSON come back from PostgreSQL as they went in`() throws {
        guard PostgresServer.programDirectory != nil else { return }
        let server = try PostgresServer()
        let database = try PostgresDatabase(address: server.address)
        try database.run("CREATE TEMPORARY TABLE t (a timestamptz, b jsonb)")
        let row: [SQLValue] = [.time(microseconds: 1_700_000_000_123_456), .json(#"{"a": 1}"#)]
        try database.insert(into: "t", columns: ["a", "b"], [row])
        #expect(try database.change("INSERT INTO t VALUES ($1, $2)", row) == 1)
        #expect(try database.rows("SELECT a, b FROM t") == [row, row])
        #expect(
            try database.rows("SELECT extract(epoch FROM a)::text FROM t LIMIT 1") == [[.text("1700000000.123456")]])
    }
}
