internal import History
internal import MetricModel

/// `tribune db …`: the schema of the history.
enum DatabaseCommands {
    static let migrate = Command(
        "db migrate", "Bring the database's schema up to date.",
        options: HistoryCommands.options + [.flag("dry-run", "Print the missing steps with their SQL; change nothing.")]
    ) { (invocation) throws(CommandFailure) in
        try HistoryCommands.withAudit(invocation) { (audit) throws(HistoryError) in
            if invocation.flag("dry-run") {
                let steps = try audit.pendingMigrations()
                if steps.isEmpty { return "The schema is up to date." }
                return steps.map { "-- step \($0.name)\n\($0.script)" }.joined(separator: "\n\n")
            }
            let applied = try audit.migrate()
            return applied.isEmpty ? "The schema is up to date." : "Applied: \(applied.joined(separator: ", "))"
        }
    }

    static let rollback = Command(
        "db rollback", "Undo the last change of the schema.",
        options: HistoryCommands.options + [.flag("discard", "Undo it even if data is lost.")]
    ) { (invocation) throws(CommandFailure) in
        try HistoryCommands.withAudit(invocation) { (audit) throws(HistoryError) in
            guard let name = try audit.rollback(discarding: invocation.flag("discard")) else {
                return "There is nothing to undo."
            }
            return "Undone: \(name)"
        }
    }

    static let backup = Command(
        "db backup", "Write a backup of the history: a base, or what was added since the last backup.",
        operands: "DIR", count: 1...1,
        options: HistoryCommands.options + [.flag("full", "Write a base also where there is one.")],
        details: """
            The database may be in use. Each backup ends with a signed checkpoint and verifies on its own entries. What is not in
            the ledger, such as the lease, is not part of it.
            """
    ) { (invocation) throws(CommandFailure) in
        try HistoryCommands.withAudit(invocation) { (audit) throws(HistoryError) in
            let backup = try audit.backup(to: invocation.operands[0], isBase: invocation.flag("full"))
            return backup.map(text) ?? "Nothing was added since the last backup."
        }
    }

    static let restore = Command(
        "db restore", "Restore the history from backups into an empty database, and verify it.", operands: "DIR",
        count: 1...1,
        options: HistoryCommands.options + HistoryCommands.trustOptions + [
            .value("backup", "NAME", "The last backup to restore. Default: the newest one.")
        ],
        details: """
            Without keys of its own or --public-key the keys in the backup are believed, which proves only that it is consistent
            with itself. The exit code is 1 if the restored record is not intact.
            """
    ) { (invocation) throws(CommandFailure) in
        try HistoryCommands.report(invocation) { (audit, trust) throws(HistoryError) in
            try audit.restore(from: invocation.operands[0], backup: invocation.value("backup"), trust)
        }
    }

    static let archive = Command(
        "db archive", "Make the backup of a day and remove old ones; for a timer.", operands: "DIR", count: 1...1,
        options: HistoryCommands.options + [
            .value("keep", "DURATION", "How long backups are kept.", default: "90d"),
            .value("base-after", "DURATION", "Age of the last base at which a new one is made.", default: "30d"),
        ], details: "A base stays as long as an increment needs it."
    ) { (invocation) throws(CommandFailure) in
        let keep = try duration(invocation, "keep")
        let baseAfter = try duration(invocation, "base-after")
        return try HistoryCommands.withAudit(invocation) { (audit) throws(HistoryError) in
            let result = try audit.archive(in: invocation.operands[0], keeping: keep, baseAfter: baseAfter)
            let added = result.added.map(text) ?? "Nothing was added since the last backup."
            return ([added] + result.removed.map { "Removed: \($0)" }).joined(separator: "\n")
        }
    }

    private static func text(_ backup: LedgerBackup) -> String {
        "\(backup.name): entries \(backup.from + 1)-\(backup.through)"
    }

    private static func duration(_ invocation: Invocation, _ name: String) throws(CommandFailure) -> Int64 {
        let text = invocation.value(name) ?? ""
        guard let duration = Milliseconds(parsing: text), duration > .zero else {
            throw CommandFailure("--\(name) must be a duration as in 90d, not \"\(text)\"")
        }
        return duration.rawValue
    }

    static let verify = Command(
        "db verify", "Compare the database's schema with the one of this program.", options: HistoryCommands.options
    ) { (invocation) throws(CommandFailure) in
        try HistoryCommands.withAudit(invocation) { (audit) throws(HistoryError) in
            try audit.verifySchema()
            return "The schema is correct."
        }
    }
}
