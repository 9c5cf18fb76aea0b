internal import Glibc
internal import JSON
internal import MetricModel
internal import Rollback
internal import Runtime

/// Programs that split traffic. They get the operation as JSON on standard input and its key in the environment
/// variable `TRIBUNE_IDEMPOTENCY_KEY`. The program for reading prints the split as JSON. Exit code 0 means success.
struct ExecRouter: TrafficRouter {
    let route: ExecRoute
    let timeout: Milliseconds
    var fence = Fence.none

    func read() throws(RouterError) -> Inspection {
        try RouterMessage.inspection(Array(Program.run(route.read, timeout: timeout).utf8))
    }

    func shift(to split: TrafficSplit, for operation: RouterOperation) throws(RouterError) {
        try run(route.shift, "shift", split, operation)
    }

    func isolate(for operation: RouterOperation) throws(RouterError) {
        guard let isolate = route.isolate else { return }
        try run(isolate, "isolate", nil, operation)
    }

    private func run(
        _ command: [String], _ name: String, _ split: TrafficSplit?, _ operation: RouterOperation
    ) throws(RouterError) {
        try fence.check(operation)
        _ = try Program.run(
            command, input: RouterMessage.request(name, split, operation).encoded,
            environment: [
                "TRIBUNE_IDEMPOTENCY_KEY": "\(operation.key)/\(name)", "TRIBUNE_EPOCH": String(operation.epoch),
            ], timeout: timeout)
    }
}

/// Runs a program until it exits.
enum Program {
    private static let outputLimit = 1 << 20

    /// The program's output. Throws with its error output if it fails or takes longer than `timeout`.
    static func run(
        _ command: [String], input: String = "", environment: [String: String] = [:], timeout: Milliseconds
    ) throws(RouterError) -> String {
        // Files in memory instead of pipes: a full pipe could block the program.
        guard let standardInput = MemoryFile(), let output = MemoryFile(), let errors = MemoryFile() else {
            throw RouterError("cannot create a file in memory: \(SystemError.current)")
        }
        guard FileText.write(input, to: standardInput.path) else { throw RouterError("cannot write the input") }
        let child: ChildProcess
        do throws(ChildProcess.StartError) {
            child = try ChildProcess(
                command, environment: environment, input: standardInput.path, output: .file(output.path),
                errors: .file(errors.path))
        } catch {
            throw RouterError(error.description)
        }
        guard let exit = child.wait(milliseconds: timeout.rawValue) else {
            // It leads its own process group. Processes that it started are killed too.
            kill(-child.processID, SIGKILL)
            _ = child.wait()
            throw RouterError("\(command[0]) took longer than \(timeout)")
        }
        guard exit == .code(0) else {
            let words = text(of: errors).split(whereSeparator: \.isNewline).joined(separator: " ")
            throw RouterError("\(command[0]) ended with \(exit): \(words.prefix(300))")
        }
        return text(of: output)
    }

    private static func text(of file: borrowing MemoryFile) -> String {
        // A file in memory can always be read. One over the limit counts as empty.
        let bytes = (try? FileText.bytes(file.path, limit: outputLimit)) ?? []
        return String(decoding: bytes, as: UTF8.self)
    }
}
