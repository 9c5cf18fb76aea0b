internal import PromQL
internal import Runtime

/// `tribune test …`: runs tests of queries and rules.
enum TestCommands {
    static let promql = Command(
        "test promql", "Run PromQL test scripts.", operands: "FILE...", count: 1...10_000,
        details: "The scripts are those of Prometheus's own engine tests: load, eval instant, eval range."
    ) { (invocation) throws(CommandFailure) in
        var passed = 0
        var total = 0
        var isSuccess = true
        for path in invocation.operands {
            let report = PromQLScript(try text(of: path), name: path).run()
            passed += report.passed
            total += report.total
            isSuccess = isSuccess && report.isSuccess
            Console.print("\(path): \(report.passed)/\(report.total)")
            for failure in report.failures { Console.print("  \(failure)") }
        }
        if invocation.operands.count > 1 { Console.print("total: \(passed)/\(total)") }
        return isSuccess ? 0 : CommandFailure.Code.failed.rawValue
    }

    private static func text(of path: String) throws(CommandFailure) -> String {
        do throws(FileText.ReadError) {
            return String(decoding: try FileText.bytes(path), as: UTF8.self)
        } catch {
            throw CommandFailure(error.description)
        }
    }
}
