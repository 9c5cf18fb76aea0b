import Glibc

guard let scenario = Scenario(CommandLine.arguments) else {
    print("usage: RollbackCrashProcess PLAN DIRECTORY STEP|full")
    exit(2)
}
exit(CommandLine.arguments[3] == "full" ? try FullDisk(scenario: scenario).run() : try scenario.run())
