internal import History
internal import YAML

/// `tribune audit …` and `tribune db …`: the record, examined and looked after.
enum HistoryCommands {
    private static let options: [Command.Option] = [
        .value("config.file", "FILE", "The tribune.yml that says where the history is.", default: "tribune.yml"),
        .value("storage.path", "DIR", "The directory of samples and history.", default: "data"),
    ]

    private static let key = Command.Option.value(
        "public-key", "KEY", "The key to trust, as name+id+key. By default the one in the history's directory.")

    static let verify = Command(
        "audit verify", "Recompute the ledger and find everything that was altered.", operands: "[EXPORT]",
        count: 0...1, options: options + [key],
        details: """
            Without an operand the configured database is examined; with one, the directory that 'audit export' made, which
            needs neither the database nor the configuration.
            """
    ) { (invocation) throws(CommandFailure) in
        let key = invocation.value("public-key")
        let export = invocation.operands.first
        let audit = export == nil ? LedgerAudit(try configuration(invocation)) : nil
        let report: LedgerReport
        do throws(HistoryError) {
            if let audit {
                report = try audit.verify(publicKey: key)
            } else {
                report = try LedgerAudit.verify(export: export ?? "", publicKey: key)
            }
        } catch {
            throw CommandFailure(error.description)
        }
        Console.print("entries      \(report.entries), of which \(report.signedEntries) are signed")
        Console.print("root         \(report.root)")
        Console.print("checkpoints  \(report.checkpoints) right")
        Console.print("measurements \(report.batches) batches right, \(report.droppedBatches) dropped by retention")
        Console.print("key          \(report.publicKey)")
        for problem in report.problems { Console.print("PROBLEM      \(problem)") }
        Console.print(report.isIntact ? "The record is intact." : "The record has been altered.")
        return report.isIntact ? 0 : CommandFailure.Code.failed.rawValue
    }

    static let export = Command(
        "audit export", "Write the ledger as files that verify on their own.", operands: "DIR", count: 1...1,
        options: options
    ) { (invocation) throws(CommandFailure) in
        try withAudit(invocation) { (audit) throws(HistoryError) in
            "\(try audit.export(to: invocation.operands[0])) entries written to \(invocation.operands[0])"
        }
    }

    static let migrate = Command("db migrate", "Bring the database's schema up to date.", options: options) {
        (invocation) throws(CommandFailure) in
        try withAudit(invocation) { (audit) throws(HistoryError) in
            let applied = try audit.migrate()
            return applied.isEmpty ? "The schema is up to date." : "Applied: \(applied.joined(separator: ", "))"
        }
    }

    static let rollback = Command(
        "db rollback", "Take the last change of the schema back.",
        options: options + [.flag("discard", "Also where records would be lost.")]
    ) { (invocation) throws(CommandFailure) in
        try withAudit(invocation) { (audit) throws(HistoryError) in
            guard let name = try audit.rollback(discarding: invocation.flag("discard")) else {
                return "There is nothing to take back."
            }
            return "Taken back: \(name)"
        }
    }

    static let verifySchema = Command("db verify", "Check the database's schema.", options: options) {
        (invocation) throws(CommandFailure) in
        try withAudit(invocation) { (audit) throws(HistoryError) in
            try audit.verifySchema()
            return "The schema is as it should be."
        }
    }

    private static func withAudit(
        _ invocation: Invocation, _ body: (LedgerAudit) throws(HistoryError) -> String
    ) throws(CommandFailure) -> Int32 {
        let audit = LedgerAudit(try configuration(invocation))
        do throws(HistoryError) {
            Console.print(try body(audit))
        } catch {
            throw CommandFailure(error.description)
        }
        return 0
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
