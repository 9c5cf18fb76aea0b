import Database
import JSON
import MetricModel
import Runtime
import TestSupport
import Testing

@testable import History

@Suite(.serialized) struct EvidencePackTests {
    @Test(arguments: EvidenceWorld.kinds) func `a pack shows a period, and its proofs are valid without Tribune`(
        kind: EvidenceWorld.Kind
    ) throws {
        let world = try EvidenceWorld(kind)
        let runner = try world.start()
        let ada = LedgerActor(identity: "ada", method: "oidc")
        func record(_ kind: LedgerEvent.Kind, _ time: Int64, _ service: String?, incident: String? = nil) {
            runner.record(
                LedgerEvent(
                    milliseconds: time, kind: kind, subject: "<rule>", body: ["detail": "a & b"], actor: ada,
                    incident: incident, service: service))
        }
        record(.violation, 1000, "auth", incident: "i-1")
        record(.decision, 2000, "auth", incident: "i-1")
        record(.violation, 2500, "gs")
        record(.rollbackStep, 3000, "auth", incident: "i-1")
        record(.alert, 9000, "auth")
        let content = Array("limit: 0.95\n".utf8)
        let file: JSON = ["path": "/etc/rules.yml", "content": BlobReference.json(to: content)]
        runner.record(
            LedgerEvent(
                milliseconds: 500, kind: .configurationChange, subject: "t.yml",
                body: ["files": [file], "diff": [["path": "/etc/rules.yml", "text": "-a\n+b"]]], blobs: [content]))
        runner.record(
            measurements: [
                Measurement(
                    labels: ["__name__": "m"], timestamp: Timestamp(milliseconds: 1_700_000_000_000), value: 0.5)
            ])
        #expect(runner.drain(timeout: 30_000))
        runner.stop()

        let path = world.directory.file("pack")
        #expect(try world.audit.pack(.init(from: 1000, through: 5000, service: "auth"), to: path) == 3)
        let key = try world.audit.verify().publicKey
        #expect(try verify(path, key) == .code(0))
        let proofs = try #require(FileText.read(path + "/proofs.jsonl"))
        world.directory.write(proofs.replacing("decision", with: "violation"), to: "pack/proofs.jsonl")
        #expect(try verify(path, key) == .code(1))
        let report = try #require(FileText.read(path + "/report.html"))
        for text in [
            "The record is intact.", "i-1", "&lt;rule&gt;", "a &amp; b", "ada (oidc)", "CC7.2", "EU AI Act art. 12",
            "entry-",
        ] {
            #expect(report.contains(text), "\(text)")
        }
        #expect(!report.contains("<rule>") && !report.contains(">gs<"))
        #expect(FileText.read(path + "/public-key.txt") == key + "\n")
        let entry = try #require(try world.ledger().rows(LedgerQuery(kinds: [.configurationChange])).first?.sequence)
        #expect(FileText.read(path + "/configuration/entry-\(entry)/_etc_rules.yml") == "limit: 0.95\n")
        #expect(throws: HistoryError.self, "the directory exists") {
            try world.audit.pack(.init(from: 0, through: 1), to: path)
        }
        let all = world.directory.file("all")
        #expect(try world.audit.pack(.init(from: 0, through: .max), to: all) >= 12)
        #expect(FileText.read(all + "/measurements.csv")?.contains(",\"{\"\"__name__\"\":\"\"m\"\"}\",0.5") == true)
    }

    private func verify(_ path: String, _ key: String) throws -> ChildProcess.Exit {
        try ChildProcess(["python3", path + "/verify.py", "--proofs", path + "/proofs.jsonl", "--public-key", key])
            .wait()
    }
}

@Suite(.serialized) struct QuerySchemaTests {
    @Test(arguments: EvidenceWorld.kinds) func `views answer in SQL what was recorded`(kind: EvidenceWorld.Kind) throws
    {
        let world = try EvidenceWorld(kind)
        let runner = try world.start()
        let hour: Int64 = 1_700_000_000_000 - 1_700_000_000_000 % 3_600_000
        let ada = LedgerActor(identity: "ada", method: "oidc")
        func record(_ kind: LedgerEvent.Kind, _ offset: Int64, _ body: JSON) {
            runner.record(
                LedgerEvent(
                    milliseconds: hour + offset, kind: kind, subject: "rule", body: body, actor: ada, incident: "i-1",
                    service: "auth"))
        }
        record(.violation, 1000, ["value": 0.9])
        record(.decision, 2000, ["outcome": "trip"])
        record(.rollbackStep, 3000, ["step": "shift", "detail": "to blue"])
        for minute in 0..<Int64(120) {
            runner.record(
                measurements: [
                    Measurement(
                        labels: ["__name__": "compliance", "service": "auth"],
                        timestamp: Timestamp(milliseconds: hour + minute * 60_000), value: minute < 60 ? 0.5 : 1)
                ])
        }
        #expect(runner.drain(timeout: 30_000))
        runner.stop()
        let ledger = try world.ledger()
        for start in [hour, hour + 3_600_000, hour] { try ledger.rollUp(hour: start) }
        #expect(try ledger.lastRollup() == hour + 3_600_000)
        #expect(Ledger.hour(of: hour + 3_599_999) == hour && Ledger.hour(of: -1) == -3_600_000)
        let rollup = try ledger.store.rows(
            "SELECT samples, total, minimum, maximum FROM measurement_hour ORDER BY hour")
        let days = try ledger.store.rows("SELECT samples, total, minimum, maximum FROM measurement_day")
        #expect(days == [[.integer(120), .real(90), .real(0.5), .real(1)]])
        #expect(
            rollup == [
                [.integer(60), .real(30), .real(0.5), .real(0.5)], [.integer(60), .real(60), .real(1), .real(1)],
            ])
        #expect(try world.audit.verify().problems == [])
        let day = hour - hour % 86_400_000
        for service in [nil, "auth"] {
            let found = try ledger.serviceDays(from: hour + 5000, through: hour + 6000, service: service)
            #expect(found.map(\.day) == [day] && found.map(\.service) == ["auth"])
            #expect(found.first?.violations == 1 && found.first?.rollbacks == 1)
            let metric = ServiceDay.Metric(name: "compliance", samples: 120, average: 0.75, minimum: 0.5, maximum: 1)
            #expect(found.first?.metrics == [metric])
        }
        #expect(try ledger.serviceDays(from: hour, through: hour, service: "pgc") == [])
        #expect(try ledger.serviceDays(from: day + 86_400_000, through: day + 86_400_001, service: nil) == [])
        #expect(
            try ledger.store.rows("SELECT count(*) FROM event WHERE kind = 'violation' AND incident_id = 'i-1'") == [
                [.integer(1)]
            ])
        #expect(try ledger.store.rows("SELECT count(*) FROM measurements") == [[.integer(120)]])
        guard kind == .postgres else { return }
        func texts(_ sql: String) throws -> [[String]] { try ledger.store.rows(sql).map { $0.map(\.text) } }
        #expect(try texts("SELECT rule, step, detail FROM violation_action") == [["rule", "shift", "to blue"]])
        #expect(try texts("SELECT DISTINCT person FROM person_action WHERE kind = 'decision'") == [["ada"]])
        #expect(
            try texts("SELECT to_char(average, 'FM0.00') FROM compliance_hour WHERE service = 'auth' ORDER BY hour")
                == [["0.50"], ["1.00"]])
        #expect(try texts("SELECT to_char(average, 'FM0.00') FROM compliance_day ORDER BY day")[0] != [""])
        // A condition on time reads one month's partition.
        let plan = try texts("EXPLAIN SELECT * FROM measurements WHERE time > '2030-01-01'").joined().joined(
            separator: "\n")
        #expect(!plan.contains("sample_2023_11"))
        let uncommented = """
            SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'tribune'::regnamespace AND c.relkind IN ('r', 'p', 'v')
            AND NOT c.relispartition AND obj_description(c.oid, 'pg_class') IS NULL
            UNION ALL
            SELECT c.relname || '.' || a.attname FROM pg_class c
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            WHERE c.relnamespace = 'tribune'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
            AND col_description(c.oid, a.attnum) IS NULL
            """
        #expect(try texts(uncommented) == [])
        // A reader sees the record, but not the persons concerned.
        try ledger.store.run("SET ROLE tribune_reader")
        #expect(try ledger.store.rows("SELECT count(*) FROM measurements") == [[.integer(120)]])
        #expect(throws: HistoryError.self) { try ledger.store.rows("SELECT * FROM disclosure") }
        #expect(throws: HistoryError.self) { try ledger.store.run("DELETE FROM ledger") }
        try ledger.store.run("RESET ROLE; SET ROLE tribune_writer")
        #expect(throws: HistoryError.self) { try ledger.store.run("DELETE FROM ledger") }
        #expect(throws: HistoryError.self) { try ledger.store.run("UPDATE ledger SET subject = ''") }
        try ledger.store.run("RESET ROLE")
        try platform(ledger)
    }

    /// The platform's tables have their documented properties.
    private func platform(_ ledger: Ledger) throws {
        try ledger.store.prepareAhead(Month(year: 2026, month: 11))
        try ledger.store.run(
            """
            INSERT INTO dgm_archive (archive_entry_id, service_name, problem_statement, performance_metrics, accuracy_score,
                constitutional_compliance_score) VALUES ('a', 'auth', 'p', '{"p99": 4}', 0.9, 1);
            INSERT INTO dgm_improvements (improvement_id, service_name, problem_statement, performance_metrics, archive_entry_id)
                VALUES ('i', 'auth', 'p', '{}', 'a');
            INSERT INTO dgm_performance_metrics (service_name, metric_type, metric_value, measurement_timestamp)
                VALUES ('auth', 'throughput', 12345678.5, '2026-11-30 23:59:59+00'), ('auth', 'x', 1, '2026-12-01 00:00:00+00')
            """)
        #expect(try ledger.store.rows("SELECT count(*) FROM dgm_performance_metrics_2026_12") == [[.integer(1)]])
        for refused in [
            "UPDATE dgm_archive SET accuracy_score = 1.1", "UPDATE dgm_improvements SET status = 'lost'",
            "UPDATE dgm_improvements SET progress = 101", "UPDATE dgm_improvements SET priority = 'urgent'",
            "DELETE FROM dgm_archive", "UPDATE dgm_improvements SET archive_entry_id = 'b'",
        ] { #expect(throws: HistoryError.self, "\(refused)") { try ledger.store.run(refused) } }
    }

    @Test(.enabled(if: PostgresServer.programDirectory != nil))
    func `a process of the version before writes while the schema is migrated`() throws {
        let world = try EvidenceWorld(.postgres)
        let store = try world.configuration.openStore()
        let former = MigrationSet(table: "schema_migration", steps: Array(HistorySchema.postgres.steps.prefix(4)))
        _ = try Migrator(store.database, former, now: 0).migrate()
        _ = try Ledger(store: store).head(creating: EvidenceWorld.origin)
        let insert = "INSERT INTO measurement (batch, series, milliseconds, value) VALUES (1, 1, 1700000000000, 0.5)"
        try store.run(
            """
            CREATE TABLE measurement_2023_11 PARTITION OF measurement FOR VALUES FROM (1698796800000) TO (1701388800000);
            INSERT INTO series (id, digest, labels) VALUES (1, 'x', '{"service":"auth"}')
            """)
        try store.run(insert)
        let other = try world.configuration.openStore()
        #expect(
            try other.migrate(origin: EvidenceWorld.origin, now: 1).map(\.name) == ["queries", "incidents", "streams"])
        // The statement of the version before still works, and its rows are seen.
        try store.run(insert)
        #expect(
            try other.rows("SELECT count(*) FROM measurements WHERE labels @> '{\"service\":\"auth\"}'") == [
                [.integer(2)]
            ])
        #expect(
            try Ledger(store: other).measurements(of: 1...1)[1]?.samples.map(\.milliseconds) == [
                1_700_000_000_000, 1_700_000_000_000,
            ])
    }

    @Test func `events that are only in the spool can be read`() throws {
        let world = try EvidenceWorld(.sqlite)
        world.configuration.waitsForTurn = true
        let runner = try world.start()
        defer { runner.stop() }
        let ada = LedgerActor(identity: "ada", method: "oidc")
        for number in 1...Int64(20) { _ = runner.recordDurably(world.event(number, by: ada)) }
        #expect(throws: HistoryError.self) { try runner.query(LedgerQuery()) }
        let query = LedgerQuery(from: 5, through: 9, limit: 3)
        let found = try runner.events(query)
        #expect(found.source == .spool && found.entries.map(\.event.milliseconds) == [9, 8, 7])
        #expect(found.entries.first?.actor?["identity"]?.text == "ada" && found.entries.first?.sequence == 0)
        let next = try #require(found.next.flatMap { EventCursor($0.text) })
        let last = try runner.events(query, from: next)
        #expect(last.entries.map(\.event.milliseconds) == [6, 5] && last.next == nil)
        #expect(try runner.events(LedgerQuery(kinds: [.alert])).entries == [])
        var text = LedgerQuery()
        text.text = "ADA"
        #expect(try runner.events(text).entries.count == 20)
        text.text = "bob"
        #expect(try runner.events(text).entries.isEmpty)
        // A page of the ledger is not continued by one of the spool.
        #expect(throws: HistoryError.self) { try runner.events(query, from: .entry(5)) }
    }

    @Test(arguments: EvidenceWorld.kinds) func `entries are found by text and service`(kind: EvidenceWorld.Kind) throws
    {
        let world = try EvidenceWorld(kind)
        try world.record(1...3)
        let runner = try world.start()
        runner.record(
            LedgerEvent(
                milliseconds: 4, kind: .decision, subject: "plan", body: ["reason": "slow \"auth\"\nsince noon"],
                actor: LedgerActor(identity: "Olga", method: "oidc"), incident: "i-1"))
        #expect(runner.drain(timeout: 30_000))
        let pages = try pages(of: runner, LedgerQuery(kinds: [.decision], limit: 2))
        #expect(pages == [[4, 3], [2, 1]])
        runner.stop()
        let ledger = try world.ledger()
        var query = LedgerQuery(kinds: [.decision])
        // A name of hexadecimal digits could also be a part of a hash.
        for text in ["SLOW \"AUTH\"\nsince", "olga"] {
            query.text = text
            #expect(try ledger.entries(query).map(\.event.milliseconds) == [4], "\(text)")
        }
        query.text = "slow%"
        #expect(try ledger.entries(query).isEmpty)
        query.text = nil
        query.incident = "i-1"
        #expect(try ledger.entries(query).map(\.event.milliseconds) == [4])
        query.incident = nil
        query.subject = "rule"
        query.service = "auth"
        #expect(try ledger.entries(query).isEmpty)
        query.includesNone = true
        #expect(try ledger.entries(query).count == 3)
    }

    /// The times of all events that `query` finds, by page.
    private func pages(of runner: HistoryRunner, _ query: LedgerQuery) throws -> [[Int64]] {
        var pages: [[Int64]] = []
        var cursor: EventCursor?
        repeat {
            let page = try runner.events(query, from: cursor)
            #expect(page.source == .database)
            pages.append(page.entries.map(\.event.milliseconds))
            cursor = try page.next.map { try #require(EventCursor($0.text)) }
        } while cursor != nil
        return pages
    }
}
