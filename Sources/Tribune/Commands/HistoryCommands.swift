internal import History
internal import JSON
internal import MetricModel
internal import Runtime
internal import YAML

/// `tribune audit …`: verifies, exports and repairs the history.
enum HistoryCommands {
    static let options: [Command.Option] = [
        .value("config.file", "FILE", "The tribune.yml with the database of the history.", default: "tribune.yml"),
        .value("storage.path", "DIR", "The directory of samples and history.", default: "data"),
    ]

    static let trustOptions: [Command.Option] = [
        .value(
            "public-key", "KEY",
            "A key to trust, as name+id+key; may be repeated. Default: the keys in the history's directory."),
        .value("root-key", "KEY", "The root key; keys that it certified are trusted."),
    ]

    private static let serverOption = Command.Option.value(
        "server", "URL", "Ask a running Tribune instead of the database.")

    static let verify = Command(
        "audit verify", "Recompute the ledger and report every alteration.", operands: "[EXPORT]",
        count: 0...1,
        options: options + trustOptions + [
            .value(
                "checkpoint", "FILE", "A checkpoint received earlier, which the record must continue; may be repeated."),
            serverOption,
        ],
        details: """
            Without an operand the configured database is verified; with one, a directory that 'audit export' wrote, which
            needs neither database nor configuration. With --server the newest checkpoint of a running Tribune is verified, and
            that it continues each --checkpoint. The exit code is 1 if anything was altered.
            """
    ) { (invocation) throws(CommandFailure) in
        var checkpoints: [String] = []
        for path in invocation.values("checkpoint") { checkpoints.append(try text(of: path)) }
        if let server = invocation.value("server") {
            guard invocation.operands.isEmpty else { throw CommandFailure("--server and EXPORT exclude each other") }
            return try verify(server: server, invocation, checkpoints)
        }
        let trust = trust(invocation, checkpoints)
        let export = invocation.operands.first
        let audit = export == nil ? LedgerAudit(try configuration(invocation)) : nil
        let report: LedgerReport = try perform { () throws(HistoryError) in
            if let audit { return try audit.verify(trust) }
            return try LedgerAudit.verify(export: export ?? "", trust)
        }
        print(report)
        return report.isIntact ? 0 : CommandFailure.Code.failed.rawValue
    }

    /// Verifies what a running Tribune shows, by nothing but signatures and proofs.
    private static func verify(
        server: String, _ invocation: Invocation, _ checkpoints: [String]
    ) throws(CommandFailure) -> Int32 {
        let client = APIClient(server)
        let trust = trust(invocation, [])
        let audit = LedgerAudit(try trusting(invocation, trust))
        var problems: [LedgerReport.Problem] = []
        let olds: [String?] = checkpoints.isEmpty ? [nil] : checkpoints
        for old in olds {
            let size = try perform { () throws(HistoryError) in try old.map(LedgerAudit.size) ?? 0 }
            let current = try client.get("history/consistency")["data"] ?? .null
            let newest = current["to"]?.integer ?? 0
            // A record that has become shorter has no proof.
            let answer = size <= newest ? try client.get("history/consistency?from=\(size)")["data"] ?? .null : current
            let problem = try perform { () throws(HistoryError) in
                let proof = try ConsistencyProof(json: answer)
                return try audit.check(proof, since: old, trust)
            }
            Console.print(
                "checkpoint   over \(answer["to"]?.integer ?? 0) entries\(old == nil ? "" : ", since one over \(size)")"
            )
            if let problem { problems.append(problem) }
        }
        for problem in problems { Console.print("PROBLEM      \(problem)") }
        Console.print(problems.isEmpty ? "The record continues." : "The record has been altered.")
        return problems.isEmpty ? 0 : CommandFailure.Code.failed.rawValue
    }

    private static func print(_ report: LedgerReport) {
        Console.print("entries      \(report.entries), of which \(report.signedEntries) are signed")
        Console.print("root         \(report.root)")
        Console.print("checkpoints  \(report.checkpoints) valid")
        Console.print("measurements \(report.batches) batches valid, \(report.droppedBatches) dropped by retention")
        Console.print("persons      \(report.disclosures) texts valid, \(report.erased) erased")
        for key in report.publicKey.split(separator: "\n") { Console.print("key          \(key)") }
        for gap in report.gaps { Console.print("gap          acknowledged by entry \(gap)") }
        for problem in report.problems { Console.print("PROBLEM      \(problem)") }
        Console.print(report.isIntact ? "The record is intact." : "The record has been altered.")
    }

    static let export = Command(
        "audit export", "Write the ledger as files that verify on their own.", operands: "DIR", count: 1...1,
        options: options
    ) { (invocation) throws(CommandFailure) in
        try withAudit(invocation) { (audit) throws(HistoryError) in
            "\(try audit.export(to: invocation.operands[0])) entries written to \(invocation.operands[0])"
        }
    }

    static let pack = Command(
        "audit pack", "Write an evidence pack for a period: report, entries, proofs, configuration.",
        operands: "DIR|FILE.zip", count: 1...1,
        options: options + [
            .value("from", "TIME", "Start of the period, RFC 3339 or a date."),
            .value("to", "TIME", "End of the period, RFC 3339 or a date. Default: now."),
            .value("service", "NAME", "Only this service, and entries about no service."),
        ],
        details: """
            DIR/report.html opens in any browser. DIR/verify.py checks the proofs without Tribune. A name that ends with .zip
            makes an archive, without the report as PDF.
            """
    ) { (invocation) throws(CommandFailure) in
        let from = try time(invocation, "from")
        let to = try time(invocation, "to") ?? SystemClock.wallMilliseconds()
        guard let from, from <= to else { throw CommandFailure("--from is required, and must not be after --to") }
        let scope = EvidenceScope(from: from, through: to, service: invocation.value("service"))
        return try withAudit(invocation) { (audit) throws(HistoryError) in
            if invocation.operands[0].hasSuffix(".zip") {
                try audit.pack(scope, toArchive: invocation.operands[0])
                return "written to \(invocation.operands[0])"
            }
            return "\(try audit.pack(scope, to: invocation.operands[0])) entries written to \(invocation.operands[0])"
        }
    }

    static let who = Command(
        "audit who", "List what an identity did: logins, orders, refusals, uses of tokens.",
        options: options + [
            .value("identity", "NAME", "The name that was proved."),
            .flag("claimed", "Also entries in which the name was only claimed."),
            .value("from", "TIME", "Start of the period, RFC 3339 or a date."),
            .value("to", "TIME", "End of the period, RFC 3339 or a date."),
        ], details: "Newest first, at most 10,000. The columns are time, number, kind, subject, method, address, body."
    ) { (invocation) throws(CommandFailure) in
        guard let name = invocation.value("identity"), !name.isEmpty else {
            throw CommandFailure("--identity is required", code: .usage)
        }
        let from = try time(invocation, "from")
        let to = try time(invocation, "to")
        return try withAudit(invocation) { (audit) throws(HistoryError) in
            let entries = try audit.entries(
                by: name, includesClaims: invocation.flag("claimed"), from: from, through: to)
            return entries.map(line).joined(separator: "\n")
        }
    }

    /// One entry with its actor.
    private static func line(_ entry: LedgerEntry) -> String {
        let actor = entry.actor ?? .null
        let proof = actor["identity"] == nil ? "claimed" : actor["method"]?.text ?? ""
        return [
            RFC3339.text(milliseconds: entry.event.milliseconds), "\(entry.sequence)", entry.event.kind.rawValue,
            entry.event.subject, proof, actor["peer"]?.text ?? "-", entry.event.body.encoded,
        ].joined(separator: "  ")
    }

    private static func time(_ invocation: Invocation, _ name: String) throws(CommandFailure) -> Int64? {
        guard let text = invocation.value(name) else { return nil }
        let full = text.contains("T") ? text : text + "T00:00:00Z"
        guard let milliseconds = RFC3339.milliseconds(parsing: full) else {
            throw CommandFailure("--\(name) must be a date or a time as in 2026-11-28T10:00:00Z, not \"\(text)\"")
        }
        return milliseconds
    }

    static let prove = Command(
        "audit prove", "Print the proof that an entry is in the record, as JSON.", operands: "ENTRY", count: 1...1,
        options: options + [
            .value("checkpoint", "FILE", "The checkpoint to prove it for. Default: the newest one."), serverOption,
        ],
        details: "'audit check' verifies the proof without the database."
    ) { (invocation) throws(CommandFailure) in
        guard let entry = Int64(invocation.operands[0]), entry > 0 else {
            throw CommandFailure("ENTRY must be the number of an entry, not \"\(invocation.operands[0])\"")
        }
        if let server = invocation.value("server") {
            guard invocation.value("checkpoint") == nil else {
                throw CommandFailure("a server proves for its newest checkpoint: leave out --checkpoint")
            }
            Console.print((try APIClient(server).get("history/proof/\(entry)")["data"] ?? .null).encoded)
            return 0
        }
        var checkpoint: String?
        if let path = invocation.value("checkpoint") { checkpoint = try text(of: path) }
        return try withAudit(invocation) { (audit) throws(HistoryError) in
            try audit.prove(entry, checkpoint: checkpoint).json.encoded
        }
    }

    static let check = Command(
        "audit check", "Verify a proof that 'audit prove' printed.", operands: "FILE", count: 1...1,
        options: options + trustOptions,
        details: "Needs no database. The exit code is 1 if the proof is not valid."
    ) { (invocation) throws(CommandFailure) in
        let text = try text(of: invocation.operands[0])
        let trust = trust(invocation, [])
        let configuration = try trusting(invocation, trust)
        let problem = try perform { () throws(HistoryError) -> String? in
            guard case .some(let json) = try? JSON(parsing: text) else {
                throw HistoryError(.malformed, "\(invocation.operands[0]) is not JSON")
            }
            return try LedgerAudit(configuration).check(try LedgerProof(json: json), trust)
        }
        Console.print(problem.map { "PROBLEM      \($0)" } ?? "The proof is valid.")
        return problem == nil ? 0 : CommandFailure.Code.failed.rawValue
    }

    static let acknowledgeGap = Command(
        "audit acknowledge-gap", "Continue a record that lacks signed entries, or whose signing key is lost.",
        options: options + [.value("reason", "TEXT", "Why the loss is accepted; it is recorded.")],
        details: "Appends an entry that names the lost range. Checkpoints kept elsewhere still show the loss."
    ) { (invocation) throws(CommandFailure) in
        let reason = try reason(invocation)
        return try withAudit(invocation) { (audit) throws(HistoryError) in
            let gap = try audit.acknowledgeGap(reason: reason, by: LocalUser.actor)
            return gap.entry.map { "Entry \($0): \(gap.description)" } ?? gap.description
        }
    }

    static let erase = Command(
        "audit erase", "Erase a text about a person from the history.", operands: "TEXT", count: 1...1,
        options: options + [.value("reason", "TEXT", "The reason, without the person's name; it is recorded.")],
        details: """
            Erases every exact occurrence of a name, identity or address. Entries keep a commitment that cannot be opened any
            more, so that verification still passes. Exports and backups made before still hold the text.
            """
    ) { (invocation) throws(CommandFailure) in
        let reason = try reason(invocation)
        return try withAudit(invocation) { (audit) throws(HistoryError) in
            let count = try audit.erase(invocation.operands[0], reason: reason, by: LocalUser.actor)
            return "\(count) texts erased"
        }
    }

    static let rootKey = Command(
        "audit root-key", "Create a root key, which certifies the keys of nodes.", operands: "FILE", count: 1...1,
        options: options,
        details: "Keep FILE away from the nodes. Prints the public key for history.root_key and --root-key."
    ) { (invocation) throws(CommandFailure) in
        try withAudit(invocation) { (audit) throws(HistoryError) in
            try audit.createRootKey(at: invocation.operands[0])
        }
    }

    static let certify = Command(
        "audit certify", "Certify the key of a node with the root key.", operands: "ROOT-KEY-FILE NODE-KEY",
        count: 2...2,
        options: options + [
            .value("from", "SIZE", "The first size of the record that the node may sign.", default: "0"),
            .value("until", "SIZE", "The first size that it may no longer sign. Default: no end."),
        ], details: "Prints the certificate for the node's history.certificate_file."
    ) { (invocation) throws(CommandFailure) in
        guard let from = Int64(invocation.value("from") ?? "0"), from >= 0 else {
            throw CommandFailure("--from must be a number of entries")
        }
        let until = invocation.value("until").flatMap { Int64($0) }
        guard until != nil || invocation.value("until") == nil else {
            throw CommandFailure("--until must be a number of entries")
        }
        return try withAudit(invocation) { (audit) throws(HistoryError) in
            try audit.certify(invocation.operands[1], rootKeyPath: invocation.operands[0], from: from, until: until)
        }
    }

    static func withAudit(
        _ invocation: Invocation, _ body: (LedgerAudit) throws(HistoryError) -> String
    ) throws(CommandFailure) -> Int32 {
        let audit = LedgerAudit(try configuration(invocation))
        Console.print(try perform { () throws(HistoryError) in try body(audit) })
        return 0
    }

    /// Prints the report of a verification; the exit code is 1 if it found anything.
    static func report(
        _ invocation: Invocation, _ body: (LedgerAudit, LedgerAudit.Trust) throws(HistoryError) -> LedgerReport
    ) throws(CommandFailure) -> Int32 {
        let audit = LedgerAudit(try configuration(invocation))
        let report = try perform { () throws(HistoryError) in try body(audit, trust(invocation, [])) }
        print(report)
        return report.isIntact ? 0 : CommandFailure.Code.failed.rawValue
    }

    private static func perform<Result>(
        _ body: () throws(HistoryError) -> Result
    ) throws(CommandFailure) -> Result {
        do throws(HistoryError) { return try body() } catch { throw CommandFailure(error.description) }
    }

    private static func trust(_ invocation: Invocation, _ checkpoints: [String]) -> LedgerAudit.Trust {
        LedgerAudit.Trust(
            publicKeys: invocation.values("public-key"), rootKey: invocation.value("root-key"), checkpoints: checkpoints
        )
    }

    /// The configuration whose directory holds the keys to believe, which is not read where `trust` names them.
    private static func trusting(
        _ invocation: Invocation, _ trust: LedgerAudit.Trust
    ) throws(CommandFailure) -> HistoryConfiguration {
        let needsDirectory = trust.publicKeys.isEmpty && trust.rootKey == nil
        return needsDirectory ? try configuration(invocation) : HistoryConfiguration(directory: "")
    }

    private static func reason(_ invocation: Invocation) throws(CommandFailure) -> String {
        guard let reason = invocation.value("reason"), !reason.isEmpty else {
            throw CommandFailure("--reason is required")
        }
        return reason
    }

    private static func text(of path: String) throws(CommandFailure) -> String {
        guard let text = FileText.read(path) else {
            throw CommandFailure("cannot read \(path): \(SystemError.current)")
        }
        return text
    }

    private static func configuration(_ invocation: Invocation) throws(CommandFailure) -> HistoryConfiguration {
        do throws(YAMLError) {
            let file = try TribuneFile.load(invocation.value("config.file") ?? "")
            return file.history(storage: invocation.value("storage.path") ?? "")
        } catch {
            throw CommandFailure(error.description)
        }
    }
}
