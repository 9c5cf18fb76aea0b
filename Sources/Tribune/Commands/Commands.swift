/// Every command, in the order of `tribune --help`.
enum Commands {
    static let all: [Command] =
        [
            ServeCommand.command,
            CheckCommands.config,
            CheckCommands.rules,
            CheckCommands.metrics,
            CheckCommands.webConfig,
            ReceiverCommands.template,
            ReceiverCommands.test,
        ] + CheckServerCommands.all + [
            TestCommands.rules,
            TestCommands.promql,
            QueryCommands.instant,
            QueryCommands.range,
            PromQLCommands.format,
            PromQLCommands.parse,
            ExportRulesCommand.command,
            ReplayCommand.command,
            ExplainCommand.command,
        ] + DumpCommands.all + OnCallCommands.all + PageCommands.all + ScheduleCommands.all + RolloutCommands.all
        + VerdictCommands.all + GateCommands.all + CICommands.all
        + MigrationCommands.all + CertifyCommands.all + [
            LoadTestCommand.command,
            RoutesCommand.test,
            OpenAPICommand.command,
            HistoryCommands.verify,
            HistoryCommands.export,
            HistoryCommands.pack,
            HistoryCommands.prove,
            HistoryCommands.check,
            HistoryCommands.who,
            HistoryCommands.acknowledgeGap,
            HistoryCommands.erase,
            HistoryCommands.rootKey,
            HistoryCommands.certify,
            AccessCommands.token,
            AccessCommands.password,
            DatabaseCommands.migrate,
            DatabaseCommands.rollback,
            DatabaseCommands.verify,
            DatabaseCommands.backup,
            DatabaseCommands.restore,
            DatabaseCommands.archive,
            DemoCommand.command,
            DemoServiceCommand.command,
            KitCommand.command,
        ] + ReferenceCommands.all + [version]

    static let version = Command("version", "Print the version.") { (_) throws(CommandFailure) in
        Console.print("tribune \(Version.number)")
        return 0
    }
}
