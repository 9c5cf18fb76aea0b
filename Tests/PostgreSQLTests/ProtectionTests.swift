import PostgreSQL
import Testing

@Suite struct ProtectionTests {
    @Test(arguments: [
        ("host=/run/postgresql dbname=a", true), ("dbname=a", true), ("host=127.0.0.1", true),
        ("host=localhost", true), ("host=::1 sslmode=disable", true), ("host=db sslmode=verify-full", true),
        ("postgresql://db/a?sslmode=verify-full", true), ("host=db", false), ("host=db sslmode=require", false),
        ("host=db sslmode=verify-ca", false), ("postgresql://user:pw@db/a", false),
        ("host=127.0.0.1,db", false), ("host=localhost hostaddr=10.0.0.1", false), ("host=127.evil.example", false),
    ]) func onlyVerifiedTLSLeavesThisMachine(address: String, isProtected: Bool) {
        #expect(PostgreSQLConnection.isProtected(address) == isProtected)
    }
}
