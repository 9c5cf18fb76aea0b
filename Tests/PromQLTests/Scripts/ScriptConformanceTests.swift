import JSON
import TestSupport
import Testing

@testable import PromQL

@Suite struct ScriptConformanceTests {
    @Test(.enabled(if: Conformance.isAvailable))
    func passesAndFailsScriptsAsPrometheusDoes() throws {
        for testCase in try PromQLCases.cases("runner_cases.json") {
            let name = testCase["name"]?.text ?? ""
            let report = PromQLScript(testCase["script"]?.text ?? "", name: name).run()
            let reasons = report.failures.map(\.description).joined(separator: "\n")
            #expect(report.isSuccess == testCase["ok"]?.bool, "\(name)\n\(reasons)")
        }
    }

    @Test(.enabled(if: Conformance.isAvailable), arguments: try PromQLCases.scripts())
    func sharedScriptsPass(path: String) throws {
        let name = String(path.split(separator: "/").last ?? "")
        let report = PromQLScript(try PromQLCases.text(of: path), name: name).run()
        let reasons = report.failures.map(\.description).joined(separator: "\n")
        #expect(report.isSuccess, "\(name): \(report.passed) of \(report.total)\n\(reasons)")
    }
}
