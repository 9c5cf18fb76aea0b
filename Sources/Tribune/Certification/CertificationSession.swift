internal import CurlHTTP
internal import Glibc
internal import History
internal import JSON
internal import MetricModel
internal import Runtime

/// Makes and reads evidence in the ledger of a running Tribune.
struct CertificationSession {
    let client: APIClient
    /// The most seconds until an entry is in the ledger, and in a signed checkpoint.
    private static let patience = 120

    /// The entry of an evidence in the ledger.
    struct Entry {
        var number: Int64
        var milliseconds: Int64
        var body: JSON
        var actor: JSON
    }

    /// Writes a statement. Returns its entry, when the ledger has it.
    func state(_ fields: [(String, String)]) throws(CommandFailure) -> Entry {
        let body = try client.post("evidence", fields)["data"] ?? .null
        guard let token = body["evidence"]?.text, let check = body["check"]?.text else {
            throw CommandFailure("the server's answer has no evidence")
        }
        for _ in 0..<Self.patience * 10 {
            if let entry = try entries(of: check).first(where: { $0.body["evidence"]?.text == token }) { return entry }
            usleep(100_000)
        }
        throw CommandFailure("\(check): the ledger does not have the entry after \(Self.patience) s")
    }

    /// The newest entries about a check, newest first.
    func entries(of check: String) throws(CommandFailure) -> [Entry] {
        let subject = URLText.escape(check)
        let data = try client.get("history/events?kind=decision&limit=20&subject=\(subject)")["data"]
        return (data?["events"]?.elements ?? []).compactMap { event in
            guard let number = event["index"]?.integer, event["body"]?["decision"] == "evidence" else { return nil }
            return Entry(
                number: number,
                milliseconds: event["time"]?.text.flatMap { RFC3339.milliseconds(parsing: $0) } ?? 0,
                body: event["body"] ?? .null, actor: event["actor"] ?? .null)
        }
    }

    /// The proof of an entry, when a checkpoint covers it.
    func proof(of entry: Int64) throws(CommandFailure) -> JSON {
        var last = CommandFailure("")
        for _ in 0..<Self.patience * 5 {
            do throws(CommandFailure) {
                return try client.get("history/proof/\(entry)")["data"] ?? .null
            } catch {
                last = error
            }
            usleep(200_000)
        }
        throw last
    }

    /// The line of a certificate.
    func line(
        _ line: CertificationCriteria.Line, maximumAge: Int64, now: Int64
    ) throws(CommandFailure) -> Certificate.Line {
        var result = Certificate.Line(
            id: line.id, section: line.section, text: line.text, outcome: "unknown", value: "", target: "",
            entries: [], isHealth: line.isHealth, detail: "")
        switch line.source {
        case .measured(let expression, let healthy):
            let entry = try state([("check", line.id), ("expr", expression), ("healthy", healthy)])
            result.outcome = entry.body["outcome"]?.text ?? "unknown"
            result.value = entry.body["value"]?.text ?? ""
            result.target = healthy
            result.entries = [entry.number]
            result.detail = entry.body["detail"]?.text ?? ""
        case .reported(let checks):
            var outcomes: [String] = []
            result.target = "passed: \(checks.joined(separator: ", "))"
            for check in checks {
                guard let entry = try entries(of: check).first(where: { $0.body["kind"] == "reported" }),
                    now - entry.milliseconds <= maximumAge
                else {
                    outcomes.append("unknown")
                    result.detail += "\(check): no report; "
                    continue
                }
                outcomes.append(entry.body["outcome"]?.text ?? "unknown")
                result.entries.append(entry.number)
                if outcomes.last != "passed" { result.detail += "\(check): \(entry.body["detail"]?.text ?? ""); " }
            }
            let passed = outcomes.filter { $0 == "passed" }.count
            result.value = "\(passed) of \(checks.count) passed"
            result.outcome =
                passed == checks.count ? "passed" : outcomes.contains("failed") ? "failed" : "unknown"
        case .attested:
            result.target = "attested by a person"
            let found = try entries(of: line.id).first { entry in
                guard entry.body["kind"] == "attested", entry.actor["method"]?.text != nil,
                    let expires = entry.body["expires"]?.text.flatMap({ RFC3339.milliseconds(parsing: $0) })
                else { return false }
                return expires > now
            }
            guard let found else {
                result.detail = "no attestation in force: tribune certify attest \(line.id)"
                return result
            }
            result.outcome = "passed"
            result.value = found.body["value"]?.text ?? ""
            result.entries = [found.number]
            result.detail = "until \(found.body["expires"]?.text ?? "")"
        }
        return result
    }
}

/// Verifies a certificate without any server.
enum CertificateFile {
    /// The file's content: the entry of the certificate and those that it cites, each with its proof.
    static func json(certificate: JSON, sources: [JSON]) -> JSON {
        ["certificate": certificate, "sources": .array(sources), "version": 1]
    }

    /// The certificate in `file`, and the problems found.
    static func verify(
        _ file: JSON, _ check: (LedgerProof) throws(CommandFailure) -> String?
    ) throws(CommandFailure) -> (certificate: Certificate?, problems: [String]) {
        var problems: [String] = []
        func leaf(_ json: JSON, _ name: String) throws(CommandFailure) -> JSON? {
            let proof: LedgerProof
            do throws(HistoryError) { proof = try LedgerProof(json: json) } catch {
                problems.append("\(name): \(error.description)")
                return nil
            }
            if let problem = try check(proof) { problems.append("\(name): \(problem)") }
            // A leaf that is not JSON has no entry, which the caller reports.
            return try? JSON(parsing: proof.leaf)
        }
        guard let entry = try leaf(file["certificate"] ?? .null, "certificate"),
            case .some(let content) = try? JSON(parsing: entry["body"]?["detail"]?.text ?? ""),
            let certificate = Certificate(json: content)
        else { return (nil, problems + ["certificate: its entry has no certificate"]) }
        if content["granted"] != .bool(certificate.isGranted) || content["score"]?.number != certificate.score {
            problems.append("certificate: its scores are not those of its lines")
        }
        var sources: [Int64: JSON] = [:]
        for source in file["sources"]?.elements ?? [] {
            guard let leaf = try leaf(source, "source"), let number = leaf["sequence"]?.integer else { continue }
            sources[number] = leaf
        }
        for line in certificate.lines {
            if line.isPassed && line.entries.isEmpty { problems.append("\(line.id): passed without an entry") }
            for number in line.entries {
                guard let body = sources[number]?["body"] else {
                    problems.append("\(line.id): entry \(number) is not in the file")
                    continue
                }
                if line.isPassed && body["outcome"] != "passed" {
                    problems.append("\(line.id): entry \(number) did not pass")
                }
                if body["kind"] != "reported", body["check"]?.text != line.id || body["value"]?.text ?? "" != line.value
                {
                    problems.append("\(line.id): entry \(number) has another value")
                }
            }
        }
        return (certificate, problems)
    }
}
