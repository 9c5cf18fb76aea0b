import Glibc
import Runtime
import TestSupport
import Testing
import YAML

/// Runs the `run:` steps of a workflow of GitHub Actions, as far as the shipped ones use it: jobs in the order of
/// `needs` with `if`, a matrix, outputs of steps and jobs, and `${{ … }}`. Steps with `uses` are left out.
final class WorkflowInterpreter {
    enum Result: String {
        case success
        case failure
        case skipped
    }

    /// Values for `github.…` and `secrets.…`.
    var context: [String: String]
    /// Added to the environment of every step.
    var environment: [String: String]
    /// The results of all jobs.
    private(set) var results: [String: Result] = [:]
    /// The names of the steps that ran, with their exits.
    private(set) var steps: [(job: String, name: String, exit: ChildProcess.Exit)] = []
    /// Everything that the steps printed.
    private(set) var log = ""
    private var outputs: [String: [String: String]] = [:]
    private let workflow: YAMLNode
    private let directory: String

    init(
        _ text: String, in directory: String, context: [String: String], environment: [String: String]
    ) throws {
        workflow = try YAML.parse(text)[0]
        self.directory = directory
        self.context = context
        self.environment = environment
    }

    /// Runs every job.
    func run() throws {
        var waiting = workflow["jobs"]?.members ?? []
        while !waiting.isEmpty {
            let index = try #require(
                waiting.firstIndex { needs($0.value).allSatisfy { results[$0] != nil } }, "needs in a circle")
            let job = waiting.remove(at: index)
            let name = job.key.text ?? ""
            results[name] = try run(name, job.value)
        }
    }

    private func needs(_ job: YAMLNode) -> [String] {
        job["needs"]?.elements?.compactMap(\.text) ?? job["needs"]?.text.map { [$0] } ?? []
    }

    /// The jobs that `job` needs, directly or indirectly: `failure()` looks at all of them.
    private func ancestors(of job: YAMLNode) -> Set<String> {
        var found: Set<String> = []
        var rest = needs(job)
        while let name = rest.popLast() {
            if found.insert(name).inserted, let job = workflow["jobs"]?[name] { rest += needs(job) }
        }
        return found
    }

    private func run(_ name: String, _ job: YAMLNode) throws -> Result {
        let before = ancestors(of: job).compactMap { results[$0] }
        let direct = needs(job).compactMap { results[$0] }
        let condition = job["if"]?.text
        // Without a condition about the status, a job needs the success of all that it needs.
        let asks = condition.map { $0.contains("failure()") || $0.contains("always()") } ?? false
        if !asks, direct.contains(where: { $0 != .success }) { return .skipped }
        if let condition, try !holds(condition, before) { return .skipped }
        let matrix = job["strategy"]?["matrix"]?.members?.first
        var result = Result.success
        for value in matrix?.value.elements?.compactMap(\.text) ?? [""] {
            var values = context
            if let key = matrix?.key.text { values["matrix.\(key)"] = value }
            for step in job["steps"]?.elements ?? [] where result == .success {
                guard let script = step["run"]?.text else { continue }
                if try !execute(script, step, name, &values) { result = .failure }
            }
            for output in job["outputs"]?.members ?? [] {
                outputs[name, default: [:]][output.key.text ?? ""] = try expanded(output.value.text ?? "", values)
            }
        }
        return result
    }

    private func execute(
        _ script: String, _ step: YAMLNode, _ job: String, _ values: inout [String: String]
    ) throws -> Bool {
        let output = "\(directory)/github-output"
        let printed = "\(directory)/github-log"
        for path in [output, printed] { #expect(FileText.write("", to: path)) }
        var variables = environment
        variables["GITHUB_OUTPUT"] = output
        for variable in workflow["env"]?.members ?? [] {
            variables[variable.key.text ?? ""] = try expanded(variable.value.text ?? "", values)
        }
        let text = "cd \(directory) && \(try expanded(script, values))"
        let child = try ChildProcess(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text], environment: variables,
            output: .file(printed))
        let exit = child.wait(milliseconds: 120_000) ?? child.stop()
        let name = step["name"]?.text ?? ""
        steps.append((job, name, exit))
        log += "== \(job): \(name): \(exit)\n\(FileText.read(printed) ?? "")"
        for line in (FileText.read(output) ?? "").split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1)
            // A line without a name is an error of GitHub's runner: an output of several lines was written plainly.
            #expect(parts.count == 2, "\(line.prefix(200))")
            if parts.count == 2 { values["steps.\(step["id"]?.text ?? "").outputs.\(parts[0])"] = String(parts[1]) }
        }
        return exit == .code(0)
    }

    private func expanded(_ text: String, _ values: [String: String]) throws -> String {
        var result = ""
        var rest = text[...]
        while let start = rest.firstRange(of: "${{") {
            result += rest[..<start.lowerBound]
            let end = try #require(rest[start.upperBound...].firstRange(of: "}}"))
            let name = rest[start.upperBound..<end.lowerBound].filter { $0 != " " }
            result += value(name, values)
            rest = rest[end.upperBound...]
        }
        return result + rest
    }

    private func value(_ name: String, _ values: [String: String]) -> String {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        if parts.count == 4, parts[0] == "needs", parts[2] == "outputs" { return outputs[parts[1]]?[parts[3]] ?? "" }
        return values[name] ?? ""
    }

    private func holds(_ condition: String, _ before: [Result]) throws -> Bool {
        let text = condition.replacing("${{", with: "").replacing("}}", with: "").trimmed
        switch text {
        case "success()": return before.allSatisfy { $0 == .success }
        case "!failure() && !cancelled()": return !before.contains(.failure)
        default:
            let match = try #require(text.wholeMatch(of: /contains\(([^,]+),\s*'([^']*)'\)/), "\(text)")
            return value(String(match.output.1).trimmed, context).contains(match.output.2)
        }
    }
}

extension String {
    fileprivate var trimmed: String {
        String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}
