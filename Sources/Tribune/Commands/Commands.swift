/// Every command, in the order of `tribune --help`.
enum Commands {
    static let all: [Command] = [
        DemoCommand.command,
        DemoServiceCommand.command,
        ServeCommand.command,
        CheckCommands.config,
        CheckCommands.rules,
        HistoryCommands.verify,
        HistoryCommands.export,
        HistoryCommands.migrate,
        HistoryCommands.rollback,
        HistoryCommands.verifySchema,
        TestCommands.promql,
        QueryCommands.instant,
        QueryCommands.range,
        version,
    ]

    static let version = Command("version", "Print the version.") { (_) throws(CommandFailure) in
        Console.print("tribune \(Version.number)")
        return 0
    }
}
