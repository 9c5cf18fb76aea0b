import Glibc

guard let scenario = Scenario(CommandLine.arguments) else {
    print("usage: RollbackCrashProcess PLAN DIRECTORY STEP")
    exit(2)
}
exit(try scenario.run())
