import Database
import JSON
import MetricModel
import TestSupport
import Testing

@testable import History

/// The platform's own tables, filled by what the gates record.
@Suite(.serialized, .enabled(if: PostgresServer.programDirectory != nil, "PostgreSQL is not installed"))
struct PlatformRowsTests {
    private static let time: Int64 = 1_790_000_000_000  // in September 2026

    private func analysis(_ id: String, compliance: Double, verdicts: [String] = ["pass", "fail"]) -> LedgerEvent {
        func metric(_ name: String, _ verdict: String, _ median: JSON) -> JSON {
            ["metric": .string(name), "verdict": .string(verdict), "candidate": ["median": median, "events": 7]]
        }
        let json: JSON = [
            "id": .string(id), "kind": "deployment", "verdict": "fail", "reason": "latency: worse", "service": "auth",
            "annotations": ["commit": "abc"],
            "metrics": [
                metric("compliance", verdicts[0], .number(compliance)), metric("latency", verdicts[1], .number(2.5)),
                metric("errors", "pass", .null),
            ],
        ]
        return event(.decision, ["gate": json])
    }

    private func event(_ kind: LedgerEvent.Kind, _ body: JSON) -> LedgerEvent {
        LedgerEvent(milliseconds: Self.time, kind: kind, subject: "gate", body: body)
    }

    @Test func `analyses, improvements and checkpoints become rows with their keys`() throws {
        let world = try EvidenceWorld(.postgres)
        let runner = try world.start()
        runner.record(analysis("a-1", compliance: 0.97))
        runner.record(analysis("a-2", compliance: 2, verdicts: ["pass", "pass"]))
        let request: JSON = [
            "title": "slow", "description": "look", "service": "auth", "analysis_id": "a-2",
            "parameters": ["priority": "high", "limit": 3],
        ]
        runner.record(event(.decision, ["improvement": "i-1", "request": request]))
        runner.record(event(.decision, ["improvement": "i-2", "request": ["title": "other", "analysis_id": "none"]]))
        for (id, status) in [("i-1", "running"), ("i-1", "succeeded"), ("i-2", "failed")] {
            runner.record(
                event(.decision, ["improvement": .string(id), "status": .string(status), "detail": "so it is"]))
        }
        runner.record(
            event(
                .checkpoint,
                [
                    "id": "c-1",
                    "plans": [
                        [
                            "plan": "acgs",
                            "services": [
                                ["service": "auth", "live": ["candidate": 25]], ["service": "ac", "live": .null],
                            ],
                        ]
                    ],
                ]))
        #expect(runner.drain(timeout: 30_000), "\(runner.status)")
        runner.stop()
        let store = try world.configuration.openStore()
        func texts(_ sql: String) throws -> [[String]] { try store.rows(sql).map { $0.map(\.text) } }
        #expect(
            try texts(
                """
                SELECT archive_entry_id, coalesce(parent_entry_id, '-'), generation_number::text, service_name,
                    solution_patch, accuracy_score::text, constitutional_compliance_score::text,
                    performance_metrics #>> '{latency,median}' FROM dgm_archive ORDER BY generation_number
                """)
                == [
                    ["a-1", "-", "0", "auth", "abc", "0.6667", "0.9700", "2.5"],
                    ["a-2", "a-1", "1", "auth", "abc", "1.0000", "1.0000", "2.5"],
                ])
        #expect(
            try texts(
                """
                SELECT improvement_id, service_name, status, progress::text, priority, coalesce(archive_entry_id, '-'),
                    coalesce(error_message, '-'), coalesce(results ->> 'detail', '-'), performance_metrics ->> 'limit'
                FROM dgm_improvements ORDER BY 1
                """)
                == [
                    ["i-1", "auth", "completed", "100", "high", "a-2", "-", "so it is", "3"],
                    ["i-2", "", "failed", "0", "medium", "-", "so it is", "so it is", ""],
                ])
        #expect(
            try texts(
                """
                SELECT service_name, metric_type, metric_value::text, coalesce(archive_entry_id, '-')
                FROM dgm_performance_metrics_2026_09 ORDER BY 4, 2
                """)
                == [
                    ["auth", "candidate_weight", "25", "-"], ["auth", "compliance", "0.97", "a-1"],
                    ["auth", "errors", "7", "a-1"], ["auth", "latency", "2.5", "a-1"],
                    ["auth", "compliance", "2", "a-2"], ["auth", "errors", "7", "a-2"],
                    ["auth", "latency", "2.5", "a-2"],
                ])
        #expect(try world.audit.verify().problems == [])
        try world.audit.verifySchema()
    }

    @Test func `a row that the platform's table refuses does not keep the record from going on`() throws {
        let world = try EvidenceWorld(.postgres)
        _ = try world.audit.migrate()
        try world.configuration.openStore().run("ALTER TABLE dgm_archive ADD CHECK (service_name <> 'auth')")
        let runner = try world.start()
        runner.record(analysis("a-1", compliance: 0.97))
        runner.record(world.event(1))
        runner.record(event(.checkpoint, ["plans": [["services": [["service": "ac", "live": ["candidate": 5]]]]]]))
        #expect(runner.drain(timeout: 30_000), "\(runner.status)")
        runner.stop()
        let store = try world.configuration.openStore()
        #expect(try store.rows("SELECT count(*) FROM dgm_archive") == [[.integer(0)]])
        #expect(try store.rows("SELECT count(*) FROM dgm_performance_metrics") == [[.integer(1)]])
        #expect(try world.numbers() == [1])
    }

    @Test func `a cycle of the orchestration gives a row for each measured value`() throws {
        let world = try EvidenceWorld(.postgres)
        _ = try world.audit.migrate()
        let runner = try world.start()
        let metrics: JSON = [
            ["service": "auth", "metric": "p95_latency_seconds", "value": 0.25],
            ["service": "ac", "metric": "compliance_score", "value": 0.97], ["service": "gs", "metric": "unknown"],
        ]
        runner.record(
            event(.decision, ["orchestration": ["outcome": ["outcome": "done"], "survey": ["metrics": metrics]]]))
        #expect(runner.drain(timeout: 30_000), "\(runner.status)")
        runner.stop()
        let store = try world.configuration.openStore()
        let rows = try store.rows(
            "SELECT service_name, metric_type, metric_value::text FROM dgm_performance_metrics ORDER BY 1")
        #expect(
            rows.map { $0.map(\.text) } == [
                ["ac", "compliance_score", "0.97"], ["auth", "p95_latency_seconds", "0.25"],
            ])
    }

    @Test func `partitions are made ahead and dropped by retention`() throws {
        let world = try EvidenceWorld(.postgres)
        world.configuration.retention = .hours(24 * 40)
        _ = try world.audit.migrate()
        let store = try world.configuration.openStore()
        try store.preparePlatformMetrics(Month(year: 2020, month: 1))
        let runner = try world.start()
        runner.record(world.event(1))
        #expect(runner.drain(timeout: 30_000), "\(runner.status)")
        func partitions() throws -> [String] {
            try store.rows(
                """
                SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent IN ('sample'::regclass, 'dgm_performance_metrics'::regclass) AND c.relkind = 'r'
                """
            ).map { $0[0].text }
        }
        #expect(
            try Loopback.eventually(within: 30) {
                let names = try partitions()
                return names.count { $0.hasPrefix("dgm_") } == 2 && names.count { $0.hasPrefix("sample_") } == 2
            })
        #expect(try !partitions().contains("dgm_performance_metrics_2020_01"))
        runner.stop()
    }

    @Test func `texts with U+0000 neither stop the record nor break its views`() throws {
        let world = try EvidenceWorld(.postgres)
        let runner = try world.start()
        runner.record(
            LedgerEvent(
                milliseconds: 1, kind: .decision, subject: "a\u{0}b", body: ["x\u{0}": "c\u{0}d"],
                actor: LedgerActor(identity: "e\u{0}", method: "oidc")))
        runner.record(measurements: [
            Measurement(
                labels: ["__name__": "m", "path": "f\u{0}"], timestamp: .init(milliseconds: Self.time), value: 1)
        ])
        #expect(runner.drain(timeout: 30_000), "\(runner.status)")
        runner.stop()
        let store = try world.configuration.openStore()
        #expect(
            try store.rows("SELECT body ->> 'x\u{fffd}' FROM event WHERE kind = 'decision'").map { $0[0].text }
                == ["c\u{fffd}d"])
        #expect(try store.rows("SELECT labels ->> 'path' FROM measurements").map { $0[0].text } == ["f\u{fffd}"])
        #expect(try world.audit.verify().problems == [])
    }
}
