import SQLite
import TestSupport
import Testing

@Suite struct DatabaseTests {
    private let directory = TemporaryDirectory()
    private var path: String { directory.file("test.db") }

    @Test func `values of every type come back as they went in`() throws {
        let database = try SQLiteConnection(path: path)
        let values: [SQLiteValue] = [
            .null, .integer(.min), .integer(.max), .real(-0.1), .text(""), .text("é\u{0}x"), .blob([]),
            .blob([0, 255]),
        ]
        try database.run("CREATE TABLE t (a)")
        for value in values { try database.execute("INSERT INTO t VALUES ($1)", [value]) }
        #expect(try database.execute("SELECT a FROM t ORDER BY rowid") == values.map { [$0] })
    }

    @Test func `what was committed is there after reopening, what was rolled back is not`() throws {
        do {
            let database = try SQLiteConnection(path: path)
            try database.run("CREATE TABLE t (a); BEGIN; INSERT INTO t VALUES (1); COMMIT; BEGIN")
            #expect(try database.execute("INSERT INTO t VALUES (2)") == [])
            #expect(database.changes == 1)
            try database.run("ROLLBACK")
        }
        #expect(try SQLiteConnection(path: path, mode: .readOnly).execute("SELECT a FROM t") == [[.integer(1)]])
    }

    @Test func `the log is write-ahead and every commit is flushed`() throws {
        let database = try SQLiteConnection(path: path)
        #expect(try database.execute("PRAGMA journal_mode") == [[.text("wal")]])
        #expect(try database.execute("PRAGMA synchronous") == [[.integer(2)]])
    }

    @Test func `failures say of what kind they are`() throws {
        func code(_ body: () throws -> Void) -> SQLiteError.Code? {
            do { try body() } catch let error as SQLiteError { return error.code } catch {}
            return nil
        }
        let database = try SQLiteConnection(path: path, busyMilliseconds: 1)
        try database.run("CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1)")
        #expect(code { try database.run("INSERT INTO t VALUES (1)") } == .constraint)
        #expect(code { try database.run("nonsense") } == .other)
        #expect(code { try database.execute("  ") } == .other)
        #expect(code { _ = try SQLiteConnection(path: directory.file("no/such/dir")) } == .cannotOpen)
        let other = try SQLiteConnection(path: path, busyMilliseconds: 1)
        try database.run("BEGIN IMMEDIATE")
        #expect(code { try other.run("BEGIN IMMEDIATE") } == .busy)
        try database.run("COMMIT")
        directory.write(String(repeating: "no database", count: 1000), to: "text")
        #expect(code { _ = try SQLiteConnection(path: directory.file("text")) } == .corrupt)
        try database.run("PRAGMA max_page_count = 3")
        #expect(code { try database.run("CREATE TABLE big AS SELECT zeroblob(100000)") } == .full)
    }

    @Test func `a statement works again after it failed`() throws {
        let database = try SQLiteConnection(path: path)
        try database.run("CREATE TABLE t (a UNIQUE)")
        let statement = try database.statement("INSERT INTO t VALUES ($1)")
        try statement.execute([.integer(1)])
        #expect(throws: SQLiteError.self) { try statement.execute([.integer(1)]) }
        try statement.execute([.integer(2)])
        #expect(try database.execute("SELECT count(*) FROM t") == [[.integer(2)]])
    }
}
