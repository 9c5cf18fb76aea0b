import CurlHTTP
import JSON
import Runtime
import TestSupport
import Testing

/// Attackers with the database, and some with the key, against the real program. They are a program of their own:
/// `Tests/Fixtures/ledger_attacker.py`.
@Suite(.serialized) struct LedgerAttackTests {
    enum Kind: CaseIterable { case sqlite, postgres }

    static let kinds: [Kind] = PostgresServer.programDirectory == nil ? [.sqlite] : Kind.allCases

    /// A Tribune that has stopped, its record, and what others received of it.
    private final class World {
        let server: PostgresServer?
        let tribune: RunningTribune
        /// The key that others know.
        let publicKey: String
        /// Entries that the checkpoint in the file `early.note` covers.
        let early: Int64
        /// Entries of the whole record.
        private(set) var entries: Int64 = 0

        init(_ kind: Kind) throws {
            let server = kind == .postgres ? try PostgresServer() : nil
            self.server = server
            let database = server.map { "postgres: {connection: '\($0.address)'}" } ?? "sqlite: {}"
            let tribune = try RunningTribune([
                "prometheus.yml": "{}\n",
                "tribune.yml": """
                prometheus_config: prometheus.yml
                history: {\(database), verify: {interval: 100ms, rate: 1000000}}
                """,
            ])
            self.tribune = tribune
            try Self.awaitEntries(tribune, moreThan: 4)
            publicKey = try #require(try Self.status(of: tribune)["publicKey"]?.text)
            // The end of the process signs what is in the database by then.
            early = try Self.stop(tribune)
            try shell("cp '\(history)/checkpoint' '\(tribune.directory.file("early.note"))'; mkdir early pristine")
            try attack("save", "early")
            try tribune.restart()
            try Self.awaitEntries(tribune, moreThan: early)
            entries = try Self.stop(tribune)
            try attack("save", "pristine")
            try shell("cp -a '\(history)' pristine/history")
        }

        var history: String { tribune.directory.file("data/history") }

        private static func awaitEntries(_ tribune: RunningTribune, moreThan count: Int64) throws {
            let isThere = try Loopback.eventually {
                (try status(of: tribune)["entries"]?.integer ?? 0) > count
            }
            #expect(isThere, "\(tribune.log)")
        }

        private static func stop(_ tribune: RunningTribune) throws -> Int64 {
            #expect(tribune.process.stop(graceMilliseconds: 20_000) == .code(0), "\(tribune.log)")
            let note = FileText.read(tribune.directory.file("data/history/checkpoint"))
            return try #require(note?.split(separator: "\n").dropFirst().first.flatMap { Int64($0) })
        }

        static func status(of tribune: RunningTribune) throws -> JSON {
            try JSON(parsing: try tribune.get("/api/v1/history/status").body)["data"] ?? .null
        }

        func shell(_ script: String) throws {
            let exit = try ChildProcess(["sh", "-c", "cd '\(tribune.directory.path)' && \(script)"]).wait()
            #expect(exit == .code(0), "\(script)")
        }

        /// Runs the attacker. Copies of the database are kept beside `directory`.
        func attack(_ name: String, _ directory: String = "data", entry: Int64? = nil) throws {
            let database = server.map { "postgres:\($0.address)" } ?? "sqlite:\(history)/history.db"
            let directory = "\(tribune.directory.file(directory))/history"
            let arguments = ["python3", "Tests/Fixtures/ledger_attacker.py", name, database, directory]
            let run = try TribuneProgram.run(program: arguments + (entry.map { ["\($0)"] } ?? []))
            #expect(run.exit == .code(0), "\(run.errors)")
        }

        /// Puts database and directory back as they were before every attack.
        func reset() throws {
            try shell("rm -rf data/history && cp -a pristine/history data/history")
            try attack("restore", "pristine")
        }

        /// Runs `tribune audit verify` with `arguments`.
        func verify(_ arguments: [String] = []) throws -> TribuneProgram.Result {
            try TribuneProgram.run(
                [
                    "audit", "verify", "--config.file=\(tribune.directory.file("tribune.yml"))",
                    "--storage.path=\(tribune.directory.file("data"))",
                ] + arguments)
        }

        /// The lines with problems of a verification that must find some.
        func problems(_ arguments: [String] = []) throws -> [Substring] {
            let result = try verify(arguments)
            #expect(result.exit == .code(1), "\(result.output)\(result.errors)")
            return result.output.split(separator: "\n").filter { $0.hasPrefix("PROBLEM") }
        }
    }

    @Test(arguments: kinds) func `each attack is found with the entry named`(kind: Kind) throws {
        let world = try World(kind)
        let early = ["--checkpoint=\(world.tribune.directory.file("early.note"))"]
        let key = ["--public-key=\(world.publicKey)"]
        let intact = try world.verify(early + key)
        #expect(intact.exit == .code(0), "\(intact.output)\(intact.errors)")

        try world.attack("alter", entry: 3)
        #expect(try world.problems().first?.contains("entry 3: ") == true)

        try world.reset()
        try world.attack("truncate", entry: world.entries)
        #expect(try world.problems().first?.contains("entry \(world.entries): removed") == true)

        // An attacker who has the key and forges what the node remembers deceives the node, but not the holder of a
        // checkpoint.
        try world.reset()
        try world.attack("forge", entry: 3)
        let deceived = try world.verify()
        #expect(deceived.exit == .code(0), "\(deceived.output)\(deceived.errors)")
        #expect(try world.problems(early).first?.contains("entries 1-\(world.early): ") == true)

        try world.reset()
        try world.attack("swap-key", entry: 3)
        #expect(try world.problems(key).first?.contains("entries 1-") == true)

        try world.reset()
        try world.attack("restore", "early")
        let lost = world.early + 1 == world.entries ? "entry" : "entries"
        #expect(try world.problems().first?.contains("\(lost) \(world.early + 1)") == true)
        // The spool could bring back what is missing. Without it the node waits for a person and says so, and one start
        // later the loss is found as before.
        try world.shell("rm -r data/history/spool")
        try world.tribune.restart()
        func ready() throws -> String { String(decoding: try world.tribune.get("/-/ready").body, as: UTF8.self) }
        #expect(try Loopback.eventually { try ready().contains("history halted") })
        #expect(world.tribune.process.stop(graceMilliseconds: 20_000) == .code(0))
        #expect(try world.problems().first?.contains("\(lost) \(world.early + 1)") == true)
    }

    @Test(arguments: kinds) func `a running service shows the altered entry and proves to those who ask`(
        kind: Kind
    ) throws {
        let world = try World(kind)
        let tribune = world.tribune
        try tribune.restart()
        func verification() throws -> JSON { try World.status(of: tribune)["verification"] ?? .null }
        #expect(try Loopback.eventually { try verification()["finishedAt"] != .null })
        #expect(try verification()["firstBadEntry"] == .null)

        // Proofs are asked for over HTTP alone: the key and an early checkpoint are all that is trusted.
        let server = "--server=http://127.0.0.1:\(tribune.port)"
        let trust = ["--public-key=\(world.publicKey)"]
        let early = ["--checkpoint=\(tribune.directory.file("early.note"))"]
        let continues = try TribuneProgram.run(["audit", "verify", server] + trust + early)
        #expect(continues.exit == .code(0), "\(continues.output)\(continues.errors)")
        let proof = try TribuneProgram.run(["audit", "prove", "3", server])
        tribune.directory.write(proof.output, to: "proof.json")
        let checked = try TribuneProgram.run(["audit", "check", tribune.directory.file("proof.json")] + trust)
        #expect(checked.exit == .code(0), "\(proof.output)\(proof.errors)\(checked.output)")
        #expect(try TribuneProgram.run(["audit", "prove", "999", server]).exit != .code(0))
        let note = try tribune.get("/api/v1/history/checkpoint")
        #expect(note.status == 200 && String(decoding: note.body, as: UTF8.self).contains("\n\n\u{2014} tribune "))
        #expect(try tribune.get("/api/v1/history/tile/0/000.p/5").body.count == 160)

        try world.attack("alter", entry: 3)
        #expect(try Loopback.eventually { try verification()["firstBadEntry"]?.integer == 3 })
        #expect(try verification()["message"]?.text?.contains("entry 3: ") == true)
        let metrics = String(decoding: try tribune.get("/metrics").body, as: UTF8.self)
        #expect(metrics.contains("\ntribune_history_first_bad_entry 3\n"))
        #expect(
            try Loopback.eventually {
                String(decoding: try tribune.get("/api/v2/alerts").body, as: UTF8.self)
                    .contains("TribuneHistoryAltered")
            })
        #expect(tribune.process.stop(graceMilliseconds: 20_000) == .code(0))
        // A server that shows another record than before is found by the same command.
        try world.reset()
        try world.attack("forge", entry: 3)
        try tribune.restart()
        let forged = try TribuneProgram.run(["audit", "verify", server] + trust + early)
        #expect(forged.exit == .code(1) && forged.output.contains("PROBLEM      entries 1-\(world.early): "))
    }
}
