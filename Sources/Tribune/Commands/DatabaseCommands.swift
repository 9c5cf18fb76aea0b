internal import History

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

    static let verify = Command(
        "db verify", "Compare the database's schema with the one of this program.", options: HistoryCommands.options
    ) { (invocation) throws(CommandFailure) in
        try HistoryCommands.withAudit(invocation) { (audit) throws(HistoryError) in
            try audit.verifySchema()
            return "The schema is correct."
        }
    }
}
