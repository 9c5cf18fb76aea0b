internal import Database
internal import JSON

/// The rows that an event of the deployment gates adds to the platform's own tables. They are copies of the ledger.
///
/// | event | tables |
/// |---|---|
/// | an analysis | `dgm_archive`, and a row of `dgm_performance_metrics` for each metric |
/// | an improvement, or a report of its executor | `dgm_improvements` |
/// | a cycle of the orchestration | a row of `dgm_performance_metrics` for each measured value |
/// | a checkpoint | a row of `dgm_performance_metrics` for the candidate's weight of each service |
struct PlatformRows {
    private struct Statement {
        var sql: String
        var parameters: [SQLValue]
    }

    /// Longest service and metric, in the platform's own definition.
    private static let nameLimit = 100

    private var statements: [Statement] = []
    /// Months that rows of performance metrics fall into.
    private(set) var months: Set<Month> = []

    var isEmpty: Bool { statements.isEmpty }

    /// The rows of a spooled event; none for most events.
    init(_ event: PendingEvent) {
        let isChosen = event.kind == LedgerEvent.Kind.checkpoint.rawValue
        let isOfGate = ["\"gate\"", "\"improvement\"", "\"orchestration\""].contains { event.body.contains($0) }
        guard isChosen || event.kind == LedgerEvent.Kind.decision.rawValue && isOfGate else { return }
        // A body that was too long for the ledger is no object of a gate.
        guard case .some(let body) = try? JSON(parsing: event.body) else { return }
        let time = SQLValue.time(microseconds: event.milliseconds * 1000)
        if let analysis = body["gate"] {
            archive(analysis, at: time, event.milliseconds)
        } else if let id = body["improvement"]?.text {
            improvement(id, body, at: time)
        } else if let cycle = body["orchestration"] {
            for metric in cycle["survey"]?["metrics"]?.elements ?? [] {
                guard let name = metric["metric"]?.text, let value = metric["value"]?.number else { continue }
                measure(Self.name(metric["service"]?.text), name, value, at: time, event.milliseconds)
            }
        } else if isChosen {
            checkpoint(body, at: time, event.milliseconds)
        }
    }

    /// Adds the rows.
    func insert(into store: LedgerStore) throws(HistoryError) {
        for month in months { try store.preparePlatformMetrics(month) }
        for statement in statements { _ = try store.change(statement.sql, statement.parameters) }
    }

    private mutating func add(_ sql: String, _ parameters: [SQLValue]) {
        statements.append(Statement(sql: sql, parameters: parameters))
    }

    private static func name(_ text: String?) -> SQLValue { .text(String((text ?? "").prefix(nameLimit))) }

    private static func json(_ value: JSON?) -> SQLValue { value.map { .json($0.encoded) } ?? .null }

    // MARK: Analyses

    private mutating func archive(_ analysis: JSON, at time: SQLValue, _ milliseconds: Int64) {
        guard let id = analysis["id"]?.text, let metrics = analysis["metrics"]?.elements else { return }
        let service = Self.name(analysis["service"]?.text ?? analysis["profile"]?.text)
        let scores = ArchiveScores(analysis)
        let kind = analysis["kind"]?.text ?? "analysis"
        let statement = "\(kind): \(analysis["verdict"]?.text ?? ""): \(analysis["reason"]?.text ?? "")"
        let annotations = analysis["annotations"]
        let patch = ["commit", "version"].lazy.compactMap { annotations?[$0]?.text }.first
        let seen = metrics.compactMap { metric in
            metric["metric"]?.text.map { JSON.Member($0, metric["candidate"] ?? .null) }
        }
        add(
            """
            INSERT INTO dgm_archive (archive_entry_id, parent_entry_id, generation_number, service_name,
                problem_statement, solution_patch, performance_metrics, accuracy_score,
                constitutional_compliance_score, evaluation_results, created_at, updated_at)
            VALUES ($1, (SELECT archive_entry_id FROM dgm_archive WHERE service_name = $2
                    ORDER BY generation_number DESC LIMIT 1),
                (SELECT coalesce(max(generation_number) + 1, 0) FROM dgm_archive WHERE service_name = $2),
                $2, $3, $4, $5, $6::float8, $7::float8, $8, $9, $9)
            ON CONFLICT (archive_entry_id) DO NOTHING
            """,
            [
                .text(String(id.prefix(255))), service, .text(statement), patch.map(SQLValue.text) ?? .null,
                Self.json(.object(seen)), .real(scores.accuracy), .real(scores.compliance), Self.json(analysis), time,
            ])
        for metric in metrics {
            let candidate = metric["candidate"]
            guard let name = metric["metric"]?.text,
                let value = candidate?["median"]?.number ?? candidate?["events"]?.number
            else { continue }
            measure(service, name, value, at: time, milliseconds, archive: id)
        }
    }

    private mutating func measure(
        _ service: SQLValue, _ name: String, _ value: Double, at time: SQLValue, _ milliseconds: Int64,
        archive: String? = nil
    ) {
        guard value.isFinite, MeasurementBatch.times.contains(milliseconds) else { return }
        months.insert(Month(containing: milliseconds))
        add(
            """
            INSERT INTO dgm_performance_metrics (service_name, metric_type, metric_value, measurement_timestamp,
                archive_entry_id) VALUES ($1, $2, $3, $4, $5)
            """, [service, Self.name(name), .real(value), time, archive.map(SQLValue.text) ?? .null])
    }

    // MARK: Checkpoints

    private mutating func checkpoint(_ body: JSON, at time: SQLValue, _ milliseconds: Int64) {
        for plan in body["plans"]?.elements ?? [] {
            for service in plan["services"]?.elements ?? [] {
                guard let weight = service["live"]?["candidate"]?.number else { continue }
                measure(Self.name(service["service"]?.text), "candidate_weight", weight, at: time, milliseconds)
            }
        }
    }

    // MARK: Improvements

    private mutating func improvement(_ id: String, _ body: JSON, at time: SQLValue) {
        let key = SQLValue.text(String(id.prefix(255)))
        if let request = body["request"] { return begin(key, request, at: time) }
        guard let status = body["status"]?.text else { return }
        let detail = body["detail"]?.text ?? ""
        let results: JSON = ["status": .string(status), "detail": .string(detail)]
        switch status {
        case "running":
            add(
                """
                UPDATE dgm_improvements SET status = 'running', started_at = coalesce(started_at, $2), results = $3
                WHERE improvement_id = $1
                """, [key, time, Self.json(results)])
        case "succeeded":
            add(
                """
                UPDATE dgm_improvements SET status = 'completed', progress = 100, completed_at = $2, results = $3
                WHERE improvement_id = $1
                """, [key, time, Self.json(results)])
        case "failed", "undeliverable":
            add(
                """
                UPDATE dgm_improvements SET status = 'failed', completed_at = $2, results = $3, error_message = $4
                WHERE improvement_id = $1
                """, [key, time, Self.json(results), .text(detail)])
        default: return
        }
    }

    private mutating func begin(_ key: SQLValue, _ request: JSON, at time: SQLValue) {
        let title = [request["title"]?.text, request["description"]?.text].compactMap { $0 }.joined(separator: "\n")
        let parameters = request["parameters"]
        func given(_ name: String) -> JSON? { request[name] ?? parameters?[name] }
        let known = ["low", "medium", "high", "critical"]
        let priority = given("priority")?.text.flatMap { known.contains($0) ? $0 : nil } ?? "medium"
        add(
            """
            INSERT INTO dgm_improvements (improvement_id, service_name, problem_statement, priority,
                constitutional_constraints, performance_metrics, archive_entry_id, created_at)
            VALUES ($1, $2, $3, $4, $5, $6,
                (SELECT archive_entry_id FROM dgm_archive WHERE archive_entry_id = $7), $8)
            ON CONFLICT (improvement_id) DO NOTHING
            """,
            [
                key, Self.name(given("service")?.text), .text(title), .text(priority),
                Self.json(given("constitutional_constraints")),
                Self.json(given("performance_metrics") ?? parameters ?? .object([])),
                .text(request["analysis_id"]?.text ?? ""), time,
            ])
    }
}

/// The two scores that the platform gives an entry of its archive, 0 to 1.
struct ArchiveScores: Equatable {
    /// The share of the analysis's metrics that passed.
    var accuracy: Double
    /// The candidate's median of the first metric about compliance, or whether that metric passed; the accuracy where
    /// none was analysed.
    var compliance: Double

    init(_ analysis: JSON) {
        let metrics = analysis["metrics"]?.elements ?? []
        let passed = metrics.count { $0["verdict"]?.text == "pass" }
        accuracy = metrics.isEmpty ? 0 : Double(passed) / Double(metrics.count)
        compliance = accuracy
        let metric = metrics.first { metric in
            let name = metric["metric"]?.text?.lowercased() ?? ""
            return name.contains("compliance") || name.contains("constitution")
        }
        guard let metric else { return }
        let median = metric["candidate"]?["median"]?.number
        compliance = median.flatMap { (0...1).contains($0) ? $0 : nil } ?? (metric["verdict"]?.text == "pass" ? 1 : 0)
    }
}

extension Ledger {
    /// Adds what events of the gates give to the platform's tables, within the caller's transaction. A failure undoes
    /// only these rows: copies never keep the record from going on.
    func insertPlatformRows(_ events: [PendingEvent]) throws(HistoryError) {
        guard store.isPostgres else { return }
        for event in events {
            let rows = PlatformRows(event)
            if rows.isEmpty { continue }
            try store.run("SAVEPOINT platform")
            do throws(HistoryError) {
                try rows.insert(into: store)
                try store.run("RELEASE SAVEPOINT platform")
            } catch {
                if error.code == .unreachable { throw error }
                try store.run("ROLLBACK TO SAVEPOINT platform")
                store.preparedPlatformMonths.subtract(rows.months)
                platformFailure = error.message
            }
        }
    }

    /// Why rows of the platform's tables were left out since the last call.
    func takePlatformFailure() -> String? {
        defer { platformFailure = nil }
        return platformFailure
    }
}
