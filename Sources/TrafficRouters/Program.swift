internal import Glibc
package import MetricModel
package import Runtime

/// Runs a program until it exits.
package enum Program {
    /// The end of a program.
    package struct Ending: Sendable {
        package var exit: ChildProcess.Exit
        /// Its standard output.
        package var output: String
        /// Its standard error.
        package var errors: String
    }

    private static let outputLimit = 1 << 20
    /// How often a program is checked that may be cancelled.
    private static let slice: Int64 = 200

    /// The program's output. Throws with its error output if it fails or takes longer than `timeout`.
    static func run(
        _ command: [String], input: String = "", environment: [String: String] = [:], timeout: Milliseconds
    ) throws(RouterError) -> String {
        let ending = try finish(command, input: input, environment: environment, timeout: timeout)
        guard ending.exit == .code(0) else {
            let words = ending.errors.split(whereSeparator: \.isNewline).joined(separator: " ")
            throw RouterError("\(command[0]) ended with \(ending.exit): \(words.prefix(300))")
        }
        return ending.output
    }

    /// Runs the program until it exits by itself.
    ///
    /// Throws if it cannot be started, takes longer than `timeout`, writes more than 1 MiB or is cancelled; then it and
    /// the processes of its group are killed.
    ///
    /// - Parameter isCancelled: called several times per second.
    package static func finish(
        _ command: [String], input: String = "", environment: [String: String] = [:], timeout: Milliseconds,
        isCancelled: () -> Bool = { false }
    ) throws(RouterError) -> Ending {
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
        let deadline = SystemClock.monotonicNanoseconds(in: timeout.rawValue)
        while true {
            let rest = (deadline - SystemClock.monotonicNanoseconds()) / 1_000_000
            if let exit = child.wait(milliseconds: max(0, min(slice, rest))) {
                return Ending(exit: exit, output: text(of: output), errors: text(of: errors))
            }
            var fault: String?
            if output.byteCount > outputLimit || errors.byteCount > outputLimit { fault = "wrote more than 1 MiB" }
            if isCancelled() { fault = "was cancelled" }
            if rest <= 0 { fault = "took longer than \(timeout)" }
            guard let fault else { continue }
            // It leads its own process group. Processes that it started are killed too.
            kill(-child.processID, SIGKILL)
            _ = child.wait()
            throw RouterError("\(command[0]) \(fault)")
        }
    }

    private static func text(of file: borrowing MemoryFile) -> String {
        // A file in memory can always be read. One over the limit counts as empty.
        let bytes = (try? FileText.bytes(file.path, limit: outputLimit)) ?? []
        return String(decoding: bytes, as: UTF8.self)
    }
}
