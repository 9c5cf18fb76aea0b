import PostgreSQL
import Runtime
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: PostgresServer.programDirectory != nil, "PostgreSQL is not installed"))
struct PostgreSQLConnectionTests {
    private let server: PostgresServer

    init() throws {
        server = try PostgresServer()
    }

    private func error(_ body: () throws -> Void) -> PostgreSQLError? {
        do { try body() } catch let error as PostgreSQLError { return error } catch {}
        return nil
    }

    @Test func `values come back as they went in, through parameters and COPY alike`() throws {
        let connection = try PostgreSQLConnection(address: server.address)
        try connection.run("CREATE TABLE t (id int8, a int8, b float8, c text, d bytea)")
        let rows: [[PostgreSQLValue]] = [
            [.integer(1), .integer(.min), .real(-0.1), .text("é"), .blob([0, 255])],
            [.integer(2), .integer(.max), .real(.infinity), .text(""), .blob([])],
            [.integer(3), .null, .null, .null, .null],
            [.integer(4), .integer(0), .real(0), .text(String(repeating: "x", count: 600_000)), .blob([1])],
        ]
        for row in rows {
            #expect(try connection.change("INSERT INTO t VALUES ($1, $2, $3, $4, $5)", row) == 1)
        }
        #expect(try connection.execute("SELECT * FROM t ORDER BY id") == rows)
        try connection.run("TRUNCATE t")
        try connection.copy(into: "t (id, a, b, c, d)", rows)
        #expect(try connection.execute("SELECT * FROM t ORDER BY id") == rows)
        #expect(try connection.execute("SELECT count(*) FROM t WHERE a IS NULL") == [[.integer(1)]])
        #expect(try connection.execute("SELECT true, 5::int2, -6::int4") == [[.integer(1), .integer(5), .integer(-6)]])
    }

    @Test func `a refused statement gives its SQLSTATE and leaves the connection usable`() throws {
        let connection = try PostgreSQLConnection(address: server.address)
        try connection.run("CREATE TABLE t (a int8 UNIQUE); INSERT INTO t VALUES (77)")
        let duplicate = error { try connection.execute("INSERT INTO t VALUES ($1)", [.integer(77)]) }
        #expect(duplicate?.sqlState == "23505")
        #expect(duplicate?.code == .statement)
        #expect("\(duplicate!)".contains("77") == false, "values of rows stay out of errors")
        #expect(error { try connection.run("nonsense") }?.sqlState == "42601")
        #expect(error { try connection.copy(into: "t (a)", [[.integer(1)], [.text("wrong")]]) }?.code == .statement)
        #expect(error { try connection.copy(into: "nowhere (a)", []) }?.sqlState == "42P01")
        #expect(error { try connection.execute("SELECT point(1, 2)") }?.code == .unexpectedResponse)
        #expect(try connection.execute("SELECT a FROM t") == [[.integer(77)]])
    }

    @Test func `a transaction is undone when it does not commit`() throws {
        let connection = try PostgreSQLConnection(address: server.address)
        try connection.run("CREATE TABLE t (a int8)")
        try connection.run("BEGIN")
        try connection.copy(into: "t (a)", [[.integer(1)]])
        try connection.run("ROLLBACK")
        #expect(try connection.execute("SELECT a FROM t") == [])
    }

    @Test func `a server that goes away, is not there or is silent is told apart`() throws {
        let connection = try PostgreSQLConnection(address: server.address, answerSeconds: 1)
        #expect(try connection.execute("SELECT 1") == [[.integer(1)]])
        server.freeze()
        let silent = error { try connection.execute("SELECT 1") }
        server.thaw()
        #expect(silent?.code == .timeout)
        let second = try PostgreSQLConnection(address: server.address)
        server.stop()
        #expect(error { try second.execute("SELECT 1") }?.code == .connection)
        #expect(error { _ = try PostgreSQLConnection(address: server.address) }?.code == .connection)
        try server.start()
        #expect(try PostgreSQLConnection(address: server.address).execute("SELECT 1") == [[.integer(1)]])
    }

    @Test(arguments: ["hunter2", "host=x password", "postgresql://u:hunter2@h:badport/x?nope=1", ""])
    func `an address that cannot be read is not quoted`(address: String) {
        let refused = error { _ = try PostgreSQLConnection(address: address) }
        #expect(refused?.code == .badAddress)
        #expect(refused?.description.contains("hunter2") == false)
    }
}
