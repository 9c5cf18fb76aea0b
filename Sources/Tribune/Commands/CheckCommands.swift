internal import RuleEngine

/// `tribune check …`: says what is wrong with files before a server has to.
enum CheckCommands {
    static let rules = Command(
        "check rules", "Check rule files.", operands: "FILE...", count: 1...10_000,
        details: "Accepts Prometheus rule files and rollback rules. Every fault is told, not only the first."
    ) { (invocation) throws(CommandFailure) in
        var faulty = 0
        for path in invocation.operands {
            Console.print("Checking \(path)")
            do throws(RuleFileError) {
                let file = try RuleFile.load(path)
                Console.print("  SUCCESS: \(file.groups.reduce(0) { $0 + $1.rules.count }) rules found\n")
            } catch {
                faulty += 1
                Console.print("  FAILED:")
                for fault in error.faults { Console.print("  \(fault)") }
                Console.print("")
            }
        }
        return faulty == 0 ? 0 : CommandFailure.Code.failed.rawValue
    }
}
